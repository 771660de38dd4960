/**
 * Notices that folders and files no longer are what they were when they were opened: removed, replaced, or hidden by a
 * mount. Descriptors that are open then lead to files that no path leads to, so what is written there would be lost.
 *
 * A check compares device and inode and takes a few microseconds. Folders are held open, since a system may give the
 * inode of a removed folder to the next one. Files are not: closing any descriptor of a file would drop the locks that
 * SQLite has on it, and SQLite holds it open anyway.
 */
import * as fs from "node:fs";

interface Watched {
  path: string;
  identity: string | undefined;
}

export class FolderWatch {
  readonly #watched: Watched[];
  readonly #descriptors: number[];

  /** `files` must be open elsewhere. Throws the system's error if a path leads nowhere. */
  constructor(folders: string[], files: string[] = []) {
    this.#descriptors = process.platform === "win32" ? [] : folders.map((path) => fs.openSync(path, "r"));
    this.#watched = [...folders, ...files].map((path) => ({ path, identity: identityOf(path) }));
  }

  /** The first path that leads elsewhere now, or nowhere. */
  lost(): string | undefined {
    return this.#watched.find(({ path, identity }) => identityOf(path) !== identity)?.path;
  }

  close(): void {
    for (const descriptor of this.#descriptors.splice(0)) fs.closeSync(descriptor);
  }
}

/** Device and inode. Undefined if the path cannot be looked up, for whatever reason: it leads nowhere then. */
function identityOf(path: string): string | undefined {
  try {
    const { dev, ino } = fs.statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}
