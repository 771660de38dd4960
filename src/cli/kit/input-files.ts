/** The input files of a command line, folders included. */
import { lstat, readdir, readlink, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { systemCode } from "../../base/errors.ts";
import { CliError, fileError, usageError } from "./failures.ts";

/** Files per command; one more is an error. */
const maxFiles = 100_000;
/** Nested folders; a folder below them is unreadable. */
const maxFolderDepth = 32;

export interface ListedFile {
  path: string;
  /** The path relative to the folder on the command line, with slashes; for a single file its name. */
  name: string;
  /** The same with the name of the folder in front: files of equal names in two folders are two streams. */
  fullName: string;
  sizeBytes: number;
  /** Whether the command line names a folder above it, not the file itself. */
  isInFolder: boolean;
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
      const place = resolve(path);
      if (stats.isDirectory()) await listFolder({ path, prefix: "", root: basename(place) }, 1, listing);
      else {
        // Opening refuses anything that is not a regular file.
        const fullName = underRoot(basename(dirname(place)), basename(place));
        listing.files.push({ path, name, fullName, sizeBytes: stats.size, isInFolder: false });
      }
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

interface Folder {
  path: string;
  /** In front of the names of its files: the path below the folder on the command line, with a slash; or empty. */
  prefix: string;
  /** Name of the folder on the command line; empty for `/`. */
  root: string;
}

async function listFolder(folder: Folder, depth: number, listing: FileListing): Promise<void> {
  const { prefix, root } = folder;
  const entries = await readdir(folder.path, { withFileTypes: true });
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith(".")) continue;
    const [path, name] = [join(folder.path, entry.name), prefix + entry.name];
    await listReadable(path, name, listing, async () => {
      if (entry.isDirectory()) await listSubfolder({ path, prefix: `${name}/`, root }, depth + 1, listing);
      else if (entry.isFile() || entry.isSymbolicLink()) await listFile(path, name, root, listing);
    });
  }
}

async function listSubfolder(folder: Folder, depth: number, listing: FileListing): Promise<void> {
  if (depth <= maxFolderDepth) return await listFolder(folder, depth, listing);
  const { path, prefix } = folder;
  const name = prefix.slice(0, -1);
  const error = new CliError(`folders are nested too deeply: ${path}`, "upload the inner folders separately");
  listing.unreadable.push({ path, name, error });
}

async function listFile(path: string, name: string, root: string, { files }: FileListing): Promise<void> {
  const stats = await stat(path);
  if (!stats.isFile()) return;
  if (files.length >= maxFiles) throw new CliError(`more than ${maxFiles} files`, "upload fewer at once");
  files.push({ path, name, fullName: underRoot(root, name), sizeBytes: stats.size, isInFolder: true });
}

function underRoot(root: string, name: string): string {
  return root === "" ? name : `${root}/${name}`;
}
