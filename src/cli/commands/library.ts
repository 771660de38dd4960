/** `library put|rm`: puts songs into the library of a server, and removes them. */
import { basename } from "node:path";
import type { CAC } from "cac";
import { ClientError } from "../../client/errors.ts";
import { putSong, removeSong, type StoredSong } from "../../client/http/songs.ts";
import { apiSettings, serverOption } from "../connect/server-options.ts";
import { flagOption, jsonOption, type Options, textOption } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { CliError, usageError } from "../kit/failures.ts";
import { openSource } from "../kit/files.ts";
import { printResult } from "../kit/results.ts";
import { humanBytes, visible } from "../kit/text.ts";

const hashedBytes = 1 << 20;

export function registerLibrary(cli: CAC, context: Context): void {
  const command = cli
    .command("library <action> [...names]", "Put files into the song library of a server, or remove songs")
    .option("--name <name>", "put: the name of the song, for one file only (default: that of the file)")
    .option("--folder <name>", "put: the folder of the library, such as albums/one")
    .option("--force", "put: replace a song that has the name already");
  jsonOption(serverOption(command))
    .example("  $ bun run client library put song.mp3")
    .example("  $ bun run client library put 01.flac 02.flac --folder albums/one")
    .example("  $ bun run client library rm albums/one/01.flac")
    .action((action: string, names: string[], options: Options) => run(action, names, options, context));
}

async function run(action: string, names: string[], options: Options, context: Context): Promise<void> {
  if (action !== "put" && action !== "rm")
    throw usageError(
      `library has no action "${action}"`,
      "use put or rm; the command songs lists the library",
    );
  if (names.length === 0)
    throw usageError("the names are missing", action === "put" ? "give files" : "songs shows the names");
  if (action === "put") await putAll(names, options, context);
  else await removeAll(names, options, context);
}

async function putAll(paths: readonly string[], options: Options, context: Context): Promise<void> {
  const name = textOption(options, "name");
  if (name !== undefined && paths.length > 1) throw usageError("--name is for one file", "use --folder");
  const folder = textOption(options, "folder")?.replace(/\/+$/, "");
  const stored: StoredSong[] = [];
  for (const path of paths) {
    const own = name ?? basename(path);
    stored.push(await putOne(path, folder === undefined ? own : `${folder}/${own}`, options, context));
  }
  const lines = stored.map((song) =>
    visible(`${song.name}  ${humanBytes(song.size)}  SHA-256 ${song.sha256}`),
  );
  printResult(options, context.terminal, { json: { songs: stored }, lines });
}

async function putOne(path: string, name: string, options: Options, context: Context): Promise<StoredSong> {
  const sha256 = await digestOf(path);
  const song = { name, audio: Bun.file(path), sha256, replace: flagOption(options, "force") };
  try {
    return await putSong(song, apiSettings(options, context));
  } catch (error) {
    if (!(error instanceof ClientError) || error.serverCode !== "SONG_EXISTS") throw error;
    throw new CliError(`the library has another song called ${name}`, "replace it with --force");
  }
}

async function digestOf(path: string): Promise<string> {
  const source = await openSource(path);
  const hasher = new Bun.CryptoHasher("sha256");
  try {
    for (let at = 0; at < source.sizeBytes; at += hashedBytes)
      hasher.update(await source.read(at, Math.min(hashedBytes, source.sizeBytes - at)));
  } finally {
    await source.close();
  }
  return hasher.digest("hex");
}

async function removeAll(names: readonly string[], options: Options, context: Context): Promise<void> {
  for (const name of names) {
    if (!(await removeSong(name, apiSettings(options, context))))
      throw new CliError(`no such song: ${name}`, "the command songs lists the library");
  }
  const lines = names.map((name) => visible(`removed ${name}`));
  printResult(options, context.terminal, { json: { removed: names }, lines });
}
