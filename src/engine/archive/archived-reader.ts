/**
 * A reader that brings ranges of archived objects here before it reads them. Everything else goes to the reader thread as
 * before, at once.
 */
import { toWavecacheError } from "../../base/errors.ts";
import type { FileRef, Reader, ReadSink } from "../../pool/reader.ts";
import type { ReadOrder } from "../streams/stream-archive.ts";
import type { FetchedObjects } from "./fetched-objects.ts";

export class ArchivedReader {
  readonly #reader: Reader;
  readonly #fetched: FetchedObjects;
  readonly #isOrdered: boolean;
  /** The last read that waits for the archive, or for one that does. */
  #last: Promise<void> | undefined;

  constructor(reader: Reader, fetched: FetchedObjects, order: ReadOrder) {
    this.#reader = reader;
    this.#fetched = fetched;
    this.#isOrdered = order === "in order";
  }

  read(file: FileRef, offset: number, length: number, sink: ReadSink): void {
    const here = file.isArchived === true ? this.#fetched.here(file, offset, length) : file;
    if (here !== undefined && this.#last === undefined) return this.#reader.read(here, offset, length, sink);
    const read = this.#readLater(this.#last, file, offset, length, sink);
    if (!this.#isOrdered) return;
    this.#last = read;
    void read.then(() => {
      if (this.#last === read) this.#last = undefined;
    });
  }

  resident(file: FileRef, offset: number, length: number): Uint8Array | undefined {
    const here = file.isArchived === true ? this.#fetched.here(file, offset, length) : file;
    return here && this.#reader.resident(here, offset, length);
  }

  verify(path: string, offset: number, length: number): Promise<string> {
    return this.#reader.verify(path, offset, length);
  }

  /** Never rejects. */
  async #readLater(
    before: Promise<void> | undefined,
    file: FileRef,
    offset: number,
    length: number,
    sink: ReadSink,
  ): Promise<void> {
    try {
      const found = await this.#find(file, offset, length);
      await before;
      // The object may have moved while earlier reads waited.
      const isStale = before !== undefined && file.isArchived === true;
      this.#reader.read(isStale ? await this.#find(file, offset, length) : found, offset, length, sink);
    } catch (error) {
      await before;
      sink.failed(toWavecacheError(error));
    }
  }

  async #find(file: FileRef, offset: number, length: number): Promise<FileRef> {
    return file.isArchived === true ? await this.#fetched.range(file, offset, length) : file;
  }
}
