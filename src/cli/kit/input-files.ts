/** The input files of a command line, folders included, and the stream ids derived from their names. */
import { createHash } from "node:crypto";
import { lstat, readdir, readlink, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { systemCode } from "../../base/errors.ts";
import { maxStreamIdChars } from "../../base/limits/streams.ts";
import { isStreamId } from "../../base/stream-id.ts";
import { CliError, fileError, usageError } from "./failures.ts";

/** Files per command; one more is an error. */
const maxFiles = 100_000;
/** Nested folders; a folder below them is unreadable. */
const maxFolderDepth = 32;
const suffixChars = 8;

export interface ListedFile {
  path: string;
  /** The path relative to the folder on the command line, with slashes; for a single file its name. */
  name: string;
  sizeBytes: number;
}

/** A file, folder or link that exists but cannot be read. */
export interface UnreadableFile {
  path: string;
  name: string;
  /** A CliError that names the path. */
  error: unknown;
}

export interface FileListing {
  files: ListedFile[];
  unreadable: UnreadableFile[];
}

/**
 * Lists files, and for folders all files below them in the order of their names. Skips hidden files and folders. Follows
 * links to files, but not to folders. Throws a CliError for a path that does not exist; the listing names everything
 * else that cannot be read, such as a link to a file that was removed.
 */
export async function listFiles(paths: readonly string[]): Promise<FileListing> {
  const listing: FileListing = { files: [], unreadable: [] };
  for (const path of paths) {
    if (path === "") throw usageError("the input path is empty", "give the path of a file or folder");
    await refuseMissing(path);
    const name = basename(path);
    await listReadable(path, name, listing, async () => {
      const stats = await stat(path);
      if (stats.isDirectory()) await listFolder(path, "", 1, listing);
      // Opening refuses anything that is not a regular file.
      else listing.files.push({ path, name, sizeBytes: stats.size });
    });
  }
  return listing;
}

/** Fails before anything is sent: the path is probably misspelt. */
async function refuseMissing(path: string): Promise<void> {
  try {
    await lstat(path);
  } catch (error) {
    throw fileError(path, error);
  }
}

/** Runs `list`; if the file system refuses, enters the file as unreadable. */
async function listReadable(
  path: string,
  name: string,
  { unreadable }: FileListing,
  list: () => Promise<void>,
): Promise<void> {
  try {
    await list();
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    unreadable.push({ path, name, error: await unreadableError(path, error) });
  }
}

async function unreadableError(path: string, error: unknown): Promise<unknown> {
  if (systemCode(error) !== "ENOENT") return fileError(path, error);
  // Decoding has replaced the invalid bytes of the name, so no path leads to the file.
  if (path.includes("\ufffd")) return new CliError(`the name is not UTF-8: ${path}`, "rename it");
  const link = await readlink(path).catch(() => undefined);
  if (link === undefined) return fileError(path, error);
  return new CliError(`the link leads to nothing: ${path}`, `it names ${link}; correct or remove it`);
}

async function listFolder(
  folder: string,
  prefix: string,
  depth: number,
  listing: FileListing,
): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true });
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith(".")) continue;
    const [path, name] = [join(folder, entry.name), prefix + entry.name];
    await listReadable(path, name, listing, async () => {
      if (entry.isDirectory()) await listSubfolder(path, name, depth + 1, listing);
      else if (entry.isFile() || entry.isSymbolicLink()) await listFile(path, name, listing);
    });
  }
}

async function listSubfolder(path: string, name: string, depth: number, listing: FileListing): Promise<void> {
  if (depth <= maxFolderDepth) return await listFolder(path, `${name}/`, depth, listing);
  const error = new CliError(`folders are nested too deeply: ${path}`, "upload the inner folders separately");
  listing.unreadable.push({ path, name, error });
}

async function listFile(path: string, name: string, { files }: FileListing): Promise<void> {
  const stats = await stat(path);
  if (!stats.isFile()) return;
  if (files.length >= maxFiles) throw new CliError(`more than ${maxFiles} files`, "upload fewer at once");
  files.push({ path, name, sizeBytes: stats.size });
}

/**
 * Derives a stream id from each name: a slash becomes ".", other characters that ids cannot have become "_". If an id
 * would be too long or equal to another, it gets a hash of the name as a suffix, which is the same in every run.
 */
export function streamIdsOf(names: readonly string[]): string[] {
  const plain = names.map((name) => name.replaceAll("/", ".").replace(/[^A-Za-z0-9_.-]/g, "_"));
  const counts = new Map<string, number>();
  for (const id of plain) counts.set(id, (counts.get(id) ?? 0) + 1);
  return plain.map((id, index) => {
    if (counts.get(id) === 1 && isStreamId(id)) return id;
    const suffix = createHash("sha256")
      .update(names[index] ?? "")
      .digest("hex")
      .slice(0, suffixChars);
    return `${id.slice(0, maxStreamIdChars - suffixChars - 1)}-${suffix}`;
  });
}
