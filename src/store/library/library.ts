/** The folder of songs and sounds: names become open files, and the list of what there is. */
import { mkdir, lstat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { WavecacheError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { isSongName } from "../../base/song-name.ts";
import { meansAbsent, openBelow, type OpenedFile } from "./file.ts";
import { LibraryNames } from "./names.ts";

export class Library {
  readonly folder: string;
  readonly #names: LibraryNames;

  /** Makes the folder if there is none. Throws LIBRARY_UNUSABLE. */
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

  /** Opens a song; the disk is asked each time. Undefined for a name that is not allowed or not there. */
  async find(name: string): Promise<OpenedFile | undefined> {
    if (!isSongName(name)) return undefined;
    if (process.platform === "win32" && /:|[. ](?:\/|$)/.test(name)) return undefined;
    return (await openBelow(this.folder, join(this.folder, name))) ?? (await this.#findNormalised(name));
  }

  /** Names of all files, sorted, in Unicode's composed form (NFC). */
  list(): Promise<readonly string[]> {
    return this.#names.list();
  }

  close(): void {
    this.#names.close();
  }

  /**
   * The same letters can be written in two ways (NFC, NFD), and systems and people differ in which they write: each part
   * of the name is looked for in both.
   */
  async #findNormalised(name: string): Promise<OpenedFile | undefined> {
    if (name.normalize("NFC") === name.normalize("NFD")) return undefined;
    let path = this.folder;
    for (const segment of name.split("/")) {
      const forms = [...new Set([segment, segment.normalize("NFC"), segment.normalize("NFD")])];
      const there = await firstThere(forms.map((form) => join(path, form)));
      if (there === undefined) return undefined;
      path = there;
    }
    return await openBelow(this.folder, path);
  }
}

async function firstThere(paths: string[]): Promise<string | undefined> {
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
