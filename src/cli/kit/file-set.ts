/** The files that a command line names, with those in its folders, and the ids that their names make. */
import { createHash } from "node:crypto";
import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { maxStreamIdChars } from "../../base/limits/streams.ts";
import { isStreamId } from "../../base/stream-id.ts";
import { CliError, fileError, usageError } from "./failures.ts";

/** Files of one command. */
const maxFiles = 100_000;
const maxFolderDepth = 32;
const markChars = 8;

export interface ListedFile {
  path: string;
  /** The file's name; in a folder the way to it from there, with slashes. */
  name: string;
  sizeBytes: number;
}

/**
 * Files as they are, folders with all files below them but hidden ones, in the order of their names. Links to files are
 * followed, links to folders are not. Throws a CliError that names what cannot be read.
 */
export async function listFiles(paths: readonly string[]): Promise<ListedFile[]> {
  const files: ListedFile[] = [];
  for (const path of paths) {
    if (path === "") throw usageError("the input path is empty", "give the path of a file or folder");
    try {
      const stats = await stat(path);
      if (stats.isDirectory()) await listFolder(path, "", 1, files);
      // What is no file is refused when it is opened.
      else files.push({ path, name: basename(path), sizeBytes: stats.size });
    } catch (error) {
      throw fileError(path, error);
    }
  }
  return files;
}

async function listFolder(folder: string, prefix: string, depth: number, files: ListedFile[]): Promise<void> {
  if (depth > maxFolderDepth)
    throw new CliError(`too many folders in each other: ${folder}`, "upload them apart");
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
 * An id for each file, made of its name: what no id can have becomes "_", a slash ".". Names that would make the same id,
 * or too long a one, get a mark behind it that is the same each time.
 */
export function idsOf(names: readonly string[]): string[] {
  const plain = names.map((name) => name.replaceAll("/", ".").replace(/[^A-Za-z0-9_.-]/g, "_"));
  const counts = new Map<string, number>();
  for (const id of plain) counts.set(id, (counts.get(id) ?? 0) + 1);
  return plain.map((id, index) => {
    if (counts.get(id) === 1 && isStreamId(id)) return id;
    const mark = createHash("sha256")
      .update(names[index] ?? "")
      .digest("hex")
      .slice(0, markChars);
    return `${id.slice(0, maxStreamIdChars - markChars - 1)}-${mark}`;
  });
}
