/** `songs`: the library of a server. */
import type { CAC } from "cac";
import { listSongs, type ListedSong, type ListedSongPage } from "../../client/http/songs.ts";
import { countOption, flagOption, type Options, textOption } from "../kit/arguments.ts";
import { humanBytes, humanDuration, safeJson, table } from "../kit/text.ts";
import { apiSettings, type Context, jsonOption, serverOption } from "../streams/transfers.ts";

const defaultLimit = "100";
const maxLimit = 1_000_000;
/** Songs asked for at once; the server may give fewer. */
const pageSongs = 500;

export function registerSongs(cli: CAC, context: Context): void {
  const command = cli
    .command("songs", "List the songs of a server")
    .option("--limit <count>", "Songs to show at most", { default: defaultLimit })
    .option("--after <name>", "Begin behind this song");
  jsonOption(serverOption(command))
    .example("  $ bun run client songs")
    .example("  $ bun run client songs --server http://music.local:8080 --json")
    .action((options: Options) => songs(options, context));
}

async function songs(options: Options, context: Context): Promise<void> {
  const page = await collect(options, context);
  if (flagOption(options, "json")) {
    context.terminal.print(safeJson(page));
    return;
  }
  for (const line of lines(page.songs)) context.terminal.print(line);
  if (page.next !== null)
    context.terminal.note(`there are more: go on with --after ${JSON.stringify(page.next)}`);
}

/** Pages until the limit is reached or the list ends. */
async function collect(options: Options, context: Context): Promise<ListedSongPage> {
  const api = apiSettings(options, context);
  const limit = countOption(options, "limit", 1, maxLimit);
  const found: ListedSong[] = [];
  let after = textOption(options, "after");
  while (found.length < limit) {
    const page = await listSongs({ ...api, limit: Math.min(limit - found.length, pageSongs), after });
    found.push(...page.songs);
    // The server leaves out what has gone since it read its folder, so a page may be short, but it moves on.
    if (page.next === null || page.next === after) return { songs: found, next: null };
    after = page.next;
  }
  return { songs: found, next: after ?? null };
}

function lines(found: readonly ListedSong[]): string[] {
  if (found.length === 0) return ["no songs"];
  return table([["NAME", "SIZE", "LENGTH", "TYPE"], ...found.map(row)], [1, 2]);
}

function row({ name, size, type, duration }: ListedSong): string[] {
  return [name, humanBytes(size), duration === null ? "-" : humanDuration(duration * 1000), type];
}
