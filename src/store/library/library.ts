/** The folder of songs and sounds: opens files by name, lists the names, and changes what is there. */
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { WavecacheError } from "../../base/errors.ts";
import type { Log } from "../../base/log/log.ts";
import { openBelow, type OpenedFile } from "./file.ts";
import { LibraryWriter } from "./library-writer.ts";
import { incomingFolder, isFileName, LibraryNames } from "./names.ts";
import { existingPath } from "./unicode-forms.ts";

export class Library {
  readonly folder: string;
  readonly writer: LibraryWriter;
  readonly #names: LibraryNames;

  /** Creates the folder if it is missing. Throws LIBRARY_UNUSABLE. */
  static async open(folder: string, log: Log): Promise<Library> {
    const absolute = resolve(folder);
    try {
      await mkdir(absolute, { recursive: true });
    } catch (error) {
      throw new WavecacheError("LIBRARY_UNUSABLE", error instanceof Error ? error.message : absolute);
    }
    const library = new Library(absolute, log);
    await library.writer.clean(log);
    return library;
  }

  private constructor(folder: string, log: Log) {
    this.folder = folder;
    this.#names = new LibraryNames(folder, log);
    this.writer = new LibraryWriter(folder, () => this.#names.invalidate());
  }

  /** Opens a song. Looks at the disk each time. Undefined if the name is not allowed or does not exist. */
  async find(name: string): Promise<OpenedFile | undefined> {
    if (!isFileName(name) || name.startsWith(`${incomingFolder}/`)) return undefined;
    return (await openBelow(this.folder, join(this.folder, name))) ?? (await this.#findNormalised(name));
  }

  /** Names of all files, sorted, in Unicode normalization form C. */
  list(): Promise<readonly string[]> {
    return this.#names.list();
  }

  close(): void {
    this.#names.close();
  }

  /** Looks for each component of the name in both Unicode forms. */
  async #findNormalised(name: string): Promise<OpenedFile | undefined> {
    if (name.normalize("NFC") === name.normalize("NFD")) return undefined;
    let path = this.folder;
    for (const segment of name.split("/")) {
      const existing = await existingPath(path, segment);
      if (existing === undefined) return undefined;
      path = existing;
    }
    return await openBelow(this.folder, path);
  }
}
