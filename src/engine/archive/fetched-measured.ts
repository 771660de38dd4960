/**
 * Levels and peaks of recordings of other nodes, and of those that lost their own: a folder of files that the archiver
 * brings. They are small, and go least recently used first.
 */
import { maxFetchedMeasuredBytes, maxMeasuredFetches } from "../../base/limits/archive.ts";
import type { Log } from "../../base/log/log.ts";
import { Lru } from "../../base/lru.ts";
import type { Archiver } from "../../pool/archiver.ts";
import {
  fetchedMeasuredPath,
  levelsPath,
  type MeasuredRef,
  peaksPath,
} from "../../store/recordings/peaks/files.ts";

interface MeasuredHost {
  archiver: Pick<Archiver, "call">;
  folder: string;
  /** A request somebody waited for has succeeded, or failed. */
  answered(error: unknown): void;
}

export class FetchedMeasured {
  readonly folder: string;
  readonly #host: MeasuredHost;
  readonly #log: Log;
  /** Bytes of both files, by path. */
  readonly #files = new Lru<number>(Infinity, (path, bytes) => this.#drop(path, bytes));
  readonly #fetching = new Map<string, Promise<boolean>>();
  #bytes = 0;

  constructor(host: MeasuredHost, log: Log) {
    this.folder = host.folder;
    this.#host = host;
    this.#log = log;
  }

  /** Resolves with whether some are here now that were not before; never rejects. */
  async bring(refs: readonly MeasuredRef[]): Promise<boolean> {
    const waiting = refs.values();
    let hasCome = false;
    const work = async () => {
      for (const ref of waiting) hasCome = (await this.#bringOnce(ref)) || hasCome;
    };
    await Promise.all(Array.from({ length: Math.min(maxMeasuredFetches, refs.length) }, work));
    return hasCome;
  }

  /** Single flight. */
  #bringOnce(ref: MeasuredRef): Promise<boolean> {
    const path = fetchedMeasuredPath(this.folder, ref.key);
    const known = this.#fetching.get(path);
    if (known !== undefined) return known;
    const fetching = this.#bring(path, ref).finally(() => this.#fetching.delete(path));
    this.#fetching.set(path, fetching);
    return fetching;
  }

  async #bring(path: string, ref: MeasuredRef): Promise<boolean> {
    // The one file may have come while the other was looked for.
    if (this.#files.get(path) !== undefined) return true;
    try {
      const bytes = await this.#host.archiver.call("fetchMeasured", { ...ref, path });
      this.#host.answered(undefined);
      if (bytes > 0) this.#add(path, bytes);
      return bytes > 0;
    } catch (error) {
      this.#host.answered(error);
      this.#log.debug("levels and peaks of a recording could not be fetched", { key: ref.key, error });
      return false;
    }
  }

  #add(path: string, bytes: number): void {
    this.#files.set(path, bytes);
    this.#bytes += bytes;
    while (this.#bytes > maxFetchedMeasuredBytes && this.#files.size > 1) this.#files.evictOldest();
  }

  #drop(path: string, bytes: number): void {
    this.#bytes -= bytes;
    for (const file of [levelsPath(path), peaksPath(path)]) void this.#remove(file);
  }

  async #remove(file: string): Promise<void> {
    try {
      await Bun.file(file).delete();
    } catch (error) {
      this.#log.debug("a file of levels or peaks could not be removed", { file, error });
    }
  }
}
