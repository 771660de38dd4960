/** The folder of songs and sounds: opens files by name and lists the names. */
import { mkdir, lstat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { WavecacheError } from "../../base/errors.ts";
import type { Log } from "../../base/log/log.ts";
import { isSongName } from "../../base/ids/song-name.ts";
import { meansAbsent, openBelow, type OpenedFile } from "./file.ts";
import { LibraryNames } from "./names.ts";

export class Library {
  readonly folder: string;
  readonly #names: LibraryNames;

  /** Creates the folder if it is missing. Throws LIBRARY_UNUSABLE. */
  static async open(folder: string, log: Log): Promise<Library> {
    const absolute = resolve(folder);
    try {
      await mkdir(absolute, { recursive: true });
    } catch (error) {
      throw new WavecacheError("LIBRARY_UNUSABLE", error instanceof Error ? error.message : absolute);
    }
    return new Library(absolute, log);
  }

  private constructor(folder: string, log: Log) {
    this.folder = folder;
    this.#names = new LibraryNames(folder, log);
  }

  /** Opens a song. Looks at the disk each time. Undefined if the name is not allowed or does not exist. */
  async find(name: string): Promise<OpenedFile | undefined> {
    if (!isSongName(name)) return undefined;
    if (process.platform === "win32" && /:|[. ](?:\/|$)/.test(name)) return undefined;
    return (await openBelow(this.folder, join(this.folder, name))) ?? (await this.#findNormalised(name));
  }

  /** Names of all files, sorted, in Unicode normalization form C. */
  list(): Promise<readonly string[]> {
    return this.#names.list();
  }

  close(): void {
    this.#names.close();
  }

  /**
   * Unicode encodes the same letters in two forms, and file systems and clients differ in the form they use. Looks for
   * each component of the name in both forms (NFC, NFD).
   */
  async #findNormalised(name: string): Promise<OpenedFile | undefined> {
    if (name.normalize("NFC") === name.normalize("NFD")) return undefined;
    let path = this.folder;
    for (const segment of name.split("/")) {
      const forms = [...new Set([segment, segment.normalize("NFC"), segment.normalize("NFD")])];
      const existing = await firstExisting(forms.map((form) => join(path, form)));
      if (existing === undefined) return undefined;
      path = existing;
    }
    return await openBelow(this.folder, path);
  }
}

async function firstExisting(paths: string[]): Promise<string | undefined> {
  for (const path of paths) {
    try {
      await lstat(path);
      return path;
    } catch (error) {
      if (!meansAbsent(error)) throw error;
    }
  }
  return undefined;
}
