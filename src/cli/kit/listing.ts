/** What the list commands share: the options, fetching page after page, and the output. */
import type { Command } from "cac";
import { countOption, flagOption, jsonOption, type Options, textOption } from "./arguments.ts";
import type { Terminal } from "./terminal.ts";
import { safeJson } from "./text.ts";

const defaultLimit = "100";
const maxLimit = 1_000_000;
/** Items per request; the server may return fewer. */
const pageItems = 500;

export interface Page<T> {
  items: readonly T[];
  /** Cursor of the next page; null on the last one. */
  next: string | null;
}

export interface Listing<T> {
  /** Plural; also the key of the items in JSON. */
  noun: string;
  fetchPage(limit: number, after: string | undefined): Promise<Page<T>>;
  /** The items as lines; called with at least one. */
  tableOf(items: readonly T[]): string[];
  /** How the user types a cursor behind --after. */
  cursorText(next: string): string;
}

/** Declares --limit, --after and --json. */
export function listingOptions(command: Command, noun: string, after: string): Command {
  const paged = command
    .option("--limit <count>", `Maximum number of ${noun} to show`, { default: defaultLimit })
    .option(`--after <${after}>`, `Start after this ${after}, to show the next page`);
  return jsonOption(paged);
}

/** Fetches up to --limit items and prints them as a table or as JSON. */
export async function printListing<T>(
  listing: Listing<T>,
  options: Options,
  terminal: Pick<Terminal, "print" | "printAll" | "note">,
): Promise<void> {
  const { items, next } = await fetchAll(listing, options);
  if (flagOption(options, "json")) {
    terminal.print(safeJson({ [listing.noun]: items, next }));
    return;
  }
  terminal.printAll(items.length === 0 ? [`no ${listing.noun}`] : listing.tableOf(items));
  if (next !== null) terminal.note(`there are more: continue with --after ${listing.cursorText(next)}`);
}

async function fetchAll<T>(listing: Listing<T>, options: Options): Promise<Page<T>> {
  const limit = countOption(options, "limit", 1, maxLimit);
  const items: T[] = [];
  let after = textOption(options, "after");
  while (items.length < limit) {
    const page = await listing.fetchPage(Math.min(limit - items.length, pageItems), after);
    items.push(...page.items);
    // A page may be empty, but its cursor must advance; otherwise the same page would be fetched for ever.
    if (page.next === null || page.next === after) return { items, next: null };
    after = page.next;
  }
  return { items, next: after ?? null };
}
