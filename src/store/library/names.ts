/**
 * The names of the library's files, cached. A change that the system's file watcher reports invalidates the cache. The
 * cache also expires by age: sooner where folders cannot be watched, later where they can, since events may get lost.
 */
import { type Dirent, type FSWatcher, watch } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  maxLibraryDepth,
  maxLibraryFiles,
  unwatchedLibraryMs,
  watchedLibraryMs,
} from "../../base/limits/library.ts";
import type { Log } from "../../base/log/log.ts";
import { isSongName } from "../../base/ids/song-name.ts";
import { isBelow, meansAbsent } from "./file.ts";

/** Uploads that are not finished: neither listed nor served. */
export const incomingFolder = ".incoming";

/**
 * Whether an upload may create this song: the name is allowed, and the song would be in the list. Windows has names with
 * further meanings.
 */
export function isStorableName(name: string): boolean {
  const segments = name.split("/");
  return (
    isFileName(name) && !segments.some((segment) => isHidden(segment)) && segments.length <= maxLibraryDepth
  );
}

/** Whether the name can be that of a file on this system. */
export function isFileName(name: string): boolean {
  return isSongName(name) && !(process.platform === "win32" && /:|[. ](?:\/|$)/.test(name));
}

/** A folder to read. `prefix` is its name below the library with a trailing `/`, or "" for the library itself. */
interface Folder {
  prefix: string;
  depth: number;
}

export class LibraryNames {
  readonly #folder: string;
  readonly #log: Log;
  #watcher: FSWatcher | undefined;
  #names: readonly string[] = [];
  #gatheredAt = -Infinity;
  #gathering: Promise<readonly string[]> | undefined;
  #closed = false;

  constructor(folder: string, log: Log) {
    this.#folder = folder;
    this.#log = log;
    this.#watch();
  }

  async list(): Promise<readonly string[]> {
    const age = performance.now() - this.#gatheredAt;
    if (age < (this.#watcher === undefined ? unwatchedLibraryMs : watchedLibraryMs)) return this.#names;
    this.#gathering ??= this.#gather();
    return await this.#gathering;
  }

  close(): void {
    this.#closed = true;
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  async #gather(): Promise<readonly string[]> {
    this.#watch();
    // Set before reading: a change during the read must invalidate this list.
    this.#gatheredAt = performance.now();
    try {
      this.#names = await gatherNames(this.#folder, this.#log);
      return this.#names;
    } catch (error) {
      this.#gatheredAt = -Infinity;
      throw error;
    } finally {
      this.#gathering = undefined;
    }
  }

  #watch(): void {
    if (this.#watcher !== undefined || this.#closed) return;
    try {
      const watcher = watch(this.#folder, { recursive: true, persistent: false });
      watcher.on("change", (_event, name) => this.#changed(name));
      watcher.on("error", (error) => this.#unwatch(error));
      this.#watcher = watcher;
    } catch (error) {
      this.#unwatch(error);
    }
  }

  /** Ends the age of the list: the server itself has changed a name. */
  invalidate(): void {
    this.#gatheredAt = -Infinity;
  }

  /** A change without a name concerns the folder itself, which may be gone: the next `#gather` opens a new watcher. */
  #changed(name: string | Buffer | null | undefined): void {
    // Every write of an upload is reported.
    if (name?.toString().startsWith(incomingFolder) === true) return;
    this.#gatheredAt = -Infinity;
    if (name === null || name === undefined) this.#unwatch(undefined);
  }

  #unwatch(error: unknown): void {
    if (error !== undefined)
      this.#log.debug("cannot watch the library folder; listing it by age instead", { error });
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#gatheredAt = -Infinity;
  }
}

/** Sorted names of the regular files below a folder. Does not follow links to folders, which may form a cycle. */
async function gatherNames(folder: string, log: Log): Promise<readonly string[]> {
  const names = new Set<string>();
  const pending: Folder[] = [{ prefix: "", depth: 0 }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const entry of await entriesOf(join(folder, next.prefix))) {
      const name = next.prefix + entry.name;
      if (isHidden(entry.name) || !isSongName(name)) continue;
      if (entry.isDirectory() && next.depth < maxLibraryDepth)
        pending.push({ prefix: `${name}/`, depth: next.depth + 1 });
      else if (entry.isFile() || (entry.isSymbolicLink() && (await linksToFile(folder, name))))
        names.add(name.normalize("NFC"));
      if (names.size >= maxLibraryFiles) {
        log.warn("the library has more files than the list can hold", { listed: names.size });
        return sorted(names);
      }
    }
  }
  return sorted(names);
}

function sorted(names: Set<string>): string[] {
  return [...names].sort();
}

/** Dotfiles; but a title may begin with several dots. */
function isHidden(name: string): boolean {
  return /^\.[^.]/.test(name);
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (meansAbsent(error)) return [];
    throw error;
  }
}

async function linksToFile(folder: string, name: string): Promise<boolean> {
  try {
    const real = await realpath(join(folder, name));
    return isBelow(await realpath(folder), real) && (await stat(real)).isFile();
  } catch (error) {
    if (meansAbsent(error)) return false;
    throw error;
  }
}
