/** The input files of a command line, folders included, and the stream ids derived from their names. */
import { createHash } from "node:crypto";
import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { maxStreamIdChars } from "../../base/limits/streams.ts";
import { isStreamId } from "../../base/stream-id.ts";
import { CliError, fileError, usageError } from "./failures.ts";

/** Files per command; one more is an error. */
const maxFiles = 100_000;
/** Nested folders; one more is an error. */
const maxFolderDepth = 32;
const suffixChars = 8;

export interface ListedFile {
  path: string;
  /** The path relative to the folder on the command line, with slashes; for a single file its name. */
  name: string;
  sizeBytes: number;
}

/**
 * Lists files, and for folders all files below them in the order of their names. Skips hidden files and folders. Follows
 * links to files, but not to folders. Throws a CliError that names what cannot be read.
 */
export async function listFiles(paths: readonly string[]): Promise<ListedFile[]> {
  const files: ListedFile[] = [];
  for (const path of paths) {
    if (path === "") throw usageError("the input path is empty", "give the path of a file or folder");
    try {
      const stats = await stat(path);
      if (stats.isDirectory()) await listFolder(path, "", 1, files);
      // Opening refuses anything that is not a regular file.
      else files.push({ path, name: basename(path), sizeBytes: stats.size });
    } catch (error) {
      throw fileError(path, error);
    }
  }
  return files;
}

async function listFolder(folder: string, prefix: string, depth: number, files: ListedFile[]): Promise<void> {
  if (depth > maxFolderDepth)
    throw new CliError(`folders are nested too deeply: ${folder}`, "upload the inner folders separately");
  const entries = await readdir(folder, { withFileTypes: true });
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith(".")) continue;
    const [path, name] = [join(folder, entry.name), prefix + entry.name];
    if (entry.isDirectory()) await listFolder(path, `${name}/`, depth + 1, files);
    else if (entry.isFile() || entry.isSymbolicLink()) await listFile(path, name, files);
  }
}

async function listFile(path: string, name: string, files: ListedFile[]): Promise<void> {
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
