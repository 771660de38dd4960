/** `songs`: shows the song library of a server. */
import type { CAC } from "cac";
import { listSongs, type ListedSong } from "../../client/http/songs.ts";
import { apiSettings, serverOption } from "../connect/server-options.ts";
import type { Options } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { listingOptions, printListing } from "../kit/listing.ts";
import { humanBytes, humanDuration, table } from "../kit/text.ts";

const noun = "songs";

export function registerSongs(cli: CAC, context: Context): void {
  const command = cli.command("songs", "List the songs of a server");
  serverOption(listingOptions(command, noun, "name"))
    .example("  $ bun run client songs")
    .example("  $ bun run client songs --server http://music.local:8080 --json")
    .action((options: Options) => songs(options, context));
}

/** Song names may contain spaces. */
function cursorText(name: string): string {
  return JSON.stringify(name);
}

async function songs(options: Options, context: Context): Promise<void> {
  const api = apiSettings(options, context);
  const fetchPage = async (limit: number, after: string | undefined) => {
    const page = await listSongs({ ...api, limit, after });
    return { items: page.songs, next: page.next };
  };
  await printListing({ noun, fetchPage, tableOf, cursorText }, options, context.terminal);
}

function tableOf(songs: readonly ListedSong[]): string[] {
  return table([["NAME", "SIZE", "LENGTH", "TYPE"], ...songs.map(row)], [1, 2]);
}

function row({ name, size, type, duration }: ListedSong): string[] {
  return [name, humanBytes(size), duration === null ? "-" : humanDuration(duration * 1000), type];
}
