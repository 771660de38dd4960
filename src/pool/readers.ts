/**
 * The reader threads. A connection uses one of them for all its reads, so answers keep the order of its requests. Readers
 * share nothing with writers, so a read never waits behind a write.
 */
import { canStartThread } from "../base/system/descriptors.ts";
import { WavecacheError } from "../base/errors.ts";
import { maxOpenFilesPerReader, maxResidentFiles } from "../base/limits/streams.ts";
import { CacheLayout } from "../store/layout.ts";
import { GarbageWatch } from "./garbage-watch.ts";
import { type DamageListener, type FileRef, Reader } from "./reader.ts";
import { ResidentFiles } from "./resident.ts";
import type { PoolThreadSettings, ThreadFigures } from "./supervised-thread.ts";

export interface ReadersSettings extends PoolThreadSettings {
  /** Files that the readers and the main thread keep open together, if there is room for one each. */
  maxReadFiles: number;
}

export class Readers {
  readonly #settings: ReadersSettings;
  readonly #readers: Reader[];
  /** Verifies objects that nobody reads, while the scrub runs. */
  #scrubber: Reader | undefined;
  readonly #resident: ResidentFiles;
  readonly #garbage = new GarbageWatch();
  #next = 0;
  #onDamage: DamageListener = () => {};

  constructor(settings: ReadersSettings) {
    this.#settings = settings;
    const maxResident = share(settings.maxReadFiles / 2, maxResidentFiles);
    this.#resident = new ResidentFiles(new CacheLayout(settings.cacheDir), maxResident);
    this.#readers = Array.from({ length: settings.count }, (_, index) => this.#start(`reader ${index + 1}`));
  }

  /** Reports each read that finds damage. */
  watchDamage(listener: DamageListener): void {
    this.#onDamage = listener;
  }

  /** The reader for a new connection. */
  assign(): Reader {
    this.#next = (this.#next + 1) % this.#readers.length;
    return this.#readers[this.#next]!;
  }

  /** Where the range can be read: here, what is not in the archive is where it always is. */
  bring(file: FileRef): FileRef {
    return file;
  }

  /** Starts a thread for the scrub: no other read may wait for a sector that the disk tries again and again. */
  startScrubber(): Reader {
    if (this.#scrubber === undefined && !canStartThread()) throw new WavecacheError("DESCRIPTORS_EXHAUSTED");
    this.#scrubber ??= this.#start("scrubber");
    return this.#scrubber;
  }

  async stopScrubber(): Promise<void> {
    const scrubber = this.#scrubber;
    this.#scrubber = undefined;
    await scrubber?.close();
  }

  /** Closes a file that is about to be deleted: while it is open, its disk space stays in use. */
  forget(path: string): void {
    this.#resident.forget(path);
    for (const reader of this.#all) reader.forget(path);
  }

  figures(): ThreadFigures[] {
    return this.#all.map((reader) => reader.figures());
  }

  async close(): Promise<void> {
    this.#garbage.close();
    await Promise.all(this.#all.map((reader) => reader.close()));
  }

  get #all(): Reader[] {
    return this.#scrubber === undefined ? this.#readers : [...this.#readers, this.#scrubber];
  }

  #start(name: string): Reader {
    const { count, maxReadFiles } = this.#settings;
    return new Reader({
      ...this.#settings,
      name,
      maxOpenFiles: share(maxReadFiles / 2 / count, maxOpenFilesPerReader),
      resident: this.#resident,
      onDamage: (path, error) => this.#onDamage(path, error),
    });
  }
}

function share(files: number, max: number): number {
  return Math.max(1, Math.min(max, Math.floor(files)));
}
