/** `rm ID...`: removes streams from a server: those with these ids, or those that a query selects. */
import type { CAC } from "cac";
import type { ListedStream, StreamState } from "../../client/http/streams.ts";
import { protocolOption, serverOption } from "../connect/server-options.ts";
import { choiceOption, flagOption, jsonOption, type Options } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { failureOf, PartialFailure, usageError } from "../kit/failures.ts";
import { printResult } from "../kit/results.ts";
import { humanBytes, plural, visible } from "../kit/text.ts";
import { ageOption } from "../kit/age.ts";
import { type Catalog, noSuchStream, withCatalog } from "../streams/catalog.ts";

const pageStreams = 500;

export function registerRm(cli: CAC, context: Context): void {
  const command = cli
    .command("rm [...ids]", "Remove streams from the server; * and ? in an id stand for any characters")
    .option("--older-than <age>", "Only streams that were finished this long ago: 30d, 12h, 45m or 90s")
    .option("--state <state>", "Only finished or only unfinished streams")
    .option("--dry-run", "Only list what would be removed");
  jsonOption(protocolOption(serverOption(command)))
    .example("  $ bun run client rm my-song your-song")
    .example("  $ bun run client rm 'take-*' --older-than 30d --dry-run")
    .action((ids: string[], options: Options) => remove(ids, options, context));
}

interface Query {
  ids: readonly string[];
  state: StreamState | undefined;
  /** Milliseconds since 1970. */
  before: number | undefined;
}

async function remove(ids: string[], options: Options, context: Context): Promise<void> {
  const age = ageOption(options, "older-than");
  const state = choiceOption(options, "state", ["finished", "unfinished"]);
  const query = { ids, state, before: age === undefined ? undefined : Date.now() - age };
  if (ids.length === 0 && age === undefined && state === undefined)
    throw usageError("nothing to remove is given", "give ids, --older-than or --state");
  const isDryRun = flagOption(options, "dry-run");
  await withCatalog(options, context, async (catalog) => {
    if (ids.length === 1 && !isDryRun && isPlain(query))
      return await removeOne(ids[0]!, catalog, options, context);
    const found = await select(query, catalog);
    if (isDryRun) return printResult(options, context.terminal, describe("wouldRemove", found));
    await removeAll(found, catalog, options, context);
  });
}

/** It names streams by their ids alone. */
function isPlain({ ids, state, before }: Query): boolean {
  return state === undefined && before === undefined && !ids.some(isPattern);
}

function isPattern(id: string): boolean {
  return /[*?]/.test(id);
}

async function removeOne(id: string, catalog: Catalog, options: Options, context: Context): Promise<void> {
  if (!(await catalog.remove(id))) throw noSuchStream(id);
  printResult(options, context.terminal, { json: { removed: id }, lines: [visible(`removed ${id}`)] });
}

async function select(query: Query, catalog: Catalog): Promise<ListedStream[]> {
  if (!isPlain(query)) return await search(query, catalog);
  const streams: ListedStream[] = [];
  for (const id of new Set(query.ids)) {
    const stream = await catalog.info(id);
    if (stream === undefined) throw noSuchStream(id);
    streams.push(stream);
  }
  return streams;
}

/** An id cannot hold the characters of a pattern. */
async function search({ ids, state, before }: Query, catalog: Catalog): Promise<ListedStream[]> {
  const globs = ids.map((id) => new Bun.Glob(id.replaceAll(/[[\]{}!\\]/g, String.raw`\$&`)));
  const found: ListedStream[] = [];
  let after: string | undefined;
  do {
    const page = await catalog.list({ state, limit: pageStreams, after });
    for (const stream of page.streams) {
      const isNamed = globs.length === 0 || globs.some((glob) => glob.match(stream.streamId));
      if (isNamed && (before === undefined || timeOf(stream) < before)) found.push(stream);
    }
    after = page.next === after ? undefined : (page.next ?? undefined);
  } while (after !== undefined);
  return found;
}

function timeOf({ createdAt, finishedAt }: ListedStream): number {
  return Date.parse(finishedAt ?? createdAt);
}

/** One after the other: each removal is synced to the disk. */
async function removeAll(
  streams: readonly ListedStream[],
  catalog: Catalog,
  options: Options,
  { terminal, signal }: Context,
): Promise<void> {
  const removed: ListedStream[] = [];
  for (const stream of streams) {
    signal.throwIfAborted();
    try {
      // Somebody else may have removed it meanwhile.
      if (await catalog.remove(stream.streamId)) removed.push(stream);
    } catch (error) {
      terminal.note(visible(`${stream.streamId}: ${failureOf(error).line}`));
    }
  }
  printResult(options, terminal, describe("removed", removed));
  const failed = streams.length - removed.length;
  if (failed > 0)
    throw new PartialFailure(
      `${failed} of ${streams.length} streams are not removed`,
      "the lines above say why",
    );
}

function describe(key: "removed" | "wouldRemove", streams: readonly ListedStream[]) {
  const verb = key === "removed" ? "removed" : "would remove";
  const bytes = streams.reduce((sum, { size }) => sum + size, 0);
  const summary = `${verb} ${streams.length} ${plural(streams.length, "stream")}, ${humanBytes(bytes)}`;
  return {
    json: { [key]: streams.map(({ streamId }) => streamId), bytes },
    lines: [...streams.map(({ streamId }) => visible(`${verb} ${streamId}`)), summary],
  };
}
