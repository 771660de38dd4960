/**
 * The files beside a segment that are made of its samples. They go with it, and are made again if they are lost. Those of a
 * recording of another node come from the archive, into a folder of their own.
 */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "../../../base/errors.ts";
import { maxPeaksFileBytes } from "../../../base/limits/peaks.ts";
import { removeFile } from "../../layout.ts";
import { evictedPath } from "../eviction/note.ts";
import type { SamplesPlace } from "../place.ts";

export interface MeasuredFolders {
  recordings: string;
  /** Of what came from the archive. */
  fetched: string;
}

/** A recording whose files may be in the archive. */
export interface MeasuredRow extends SamplesPlace {
  name: string;
  /** Bytes of the `.wav`. */
  wavBytes: number;
}

/** What the archive has beside a `.wav`. */
export interface MeasuredRef {
  /** Of the `.wav`, with its bytes. */
  key: string;
  size: number;
}

/** The path of the peaks of a segment; `path` is that of its files, without extension. */
export function peaksPath(path: string): string {
  return `${path}.dat`;
}

/** The path of the levels of a segment. */
export function levelsPath(path: string): string {
  return `${path}.lvl`;
}

/** Removes what is beside the frames and samples of a recording. Throws the system's error. */
export function removeBeside(path: string): void {
  removeFile(peaksPath(path));
  removeFile(levelsPath(path));
  removeFile(evictedPath(path));
}

/** The path of what came from the archive, without extension. */
export function fetchedMeasuredPath(folder: string, key: string): string {
  return join(folder, new Bun.CryptoHasher("sha256").update(key).digest("hex"));
}

/** Reads files of recordings, and notes which the archive has instead. */
export class MeasuredFiles {
  readonly absent: MeasuredRef[] = [];
  readonly #folders: MeasuredFolders;
  readonly #pathOf: (path: string) => string;

  /** `pathOf` names the kind of file. */
  constructor(folders: MeasuredFolders, pathOf: (path: string) => string) {
    this.#folders = folders;
    this.#pathOf = pathOf;
  }

  /** Undefined if the file is missing or damaged. Rejects with other errors of the system. */
  async read<T>(row: MeasuredRow, decode: (bytes: Uint8Array) => T | undefined): Promise<T | undefined> {
    const { name, otherNode, archive, wavBytes: size } = row;
    const { recordings, fetched } = this.#folders;
    const own = otherNode === undefined ? await this.#read(join(recordings, name), decode) : undefined;
    if (own !== undefined || archive === undefined) return own;
    const found = await this.#read(fetchedMeasuredPath(fetched, archive.key), decode);
    if (found === undefined) this.absent.push({ key: archive.key, size });
    return found;
  }

  async #read<T>(path: string, decode: (bytes: Uint8Array) => T | undefined): Promise<T | undefined> {
    const file = this.#pathOf(path);
    try {
      const { size } = await stat(file);
      return size > maxPeaksFileBytes ? undefined : decode(await readFile(file));
    } catch (error) {
      if (["ENOENT", "ENOTDIR", "EISDIR"].includes(systemCode(error) ?? "")) return undefined;
      throw error;
    }
  }
}
