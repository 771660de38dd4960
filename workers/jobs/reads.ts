/**
 * The files and ranges of one reader thread. An immutable file is memory-mapped once and copied from. A file that
 * still grows is read with pread, because a map of it would not see its end move; so are files that are too long for
 * a map, and all files where there are no maps.
 */
import * as fs from "node:fs";
import { errorNumber, toWavecacheError, WavecacheError } from "../../src/base/errors.ts";
import { failpoint } from "../../src/base/failpoint.ts";
import { detach } from "../../src/base/detach.ts";
import { readSliceBytes } from "../../src/base/limits/lanes.ts";
import { GiB } from "../../src/base/limits/units.ts";
import type { WorkerLane } from "../../src/lane/lane.ts";
import {
  type Body,
  decodeNumber,
  decodeOpen,
  encodeFailure,
  numberBytes,
  READ_CLOSE,
  READ_FAILED,
  READ_LAST,
  READ_OPEN,
  READ_PART,
  READ_RANGE,
} from "../../src/lane/messages/streams.ts";
import { isMissing } from "../../src/store/layout.ts";
import type { Jobs } from "../loop.ts";

interface OpenFile {
  /** Copies `length` bytes from `offset` of the file to `bytes[at]`; throws if the file does not have them. */
  copy(offset: number, length: number, bytes: Uint8Array, at: number): void;
  close(): void;
}

export class ReadJobs implements Jobs {
  readonly #lane: WorkerLane;
  /** A file that could not be opened is kept as its error, which each read of it is answered with. */
  readonly #files = new Map<number, OpenFile | WavecacheError>();

  constructor(lane: WorkerLane) {
    this.#lane = lane;
  }

  run(kind: number, subject: number, body: Body): void {
    switch (kind) {
      case READ_RANGE:
        return this.#read(subject, decodeNumber(body), decodeNumber(body, numberBytes));
      case READ_OPEN:
        return this.#open(subject, body);
      case READ_CLOSE:
        return this.#close(subject);
      default:
        throw new RangeError(`a reader has no task of kind ${kind}`);
    }
  }

  background(): boolean {
    return false;
  }

  close(): void {
    for (const handle of Array.from(this.#files.keys())) this.#close(handle);
  }

  #open(handle: number, body: Body): void {
    const { flag: immutable, text: path } = decodeOpen(body);
    try {
      this.#files.set(handle, immutable && canMap(path) ? new MappedFile(path) : new PositionedFile(path));
    } catch (error) {
      this.#files.set(
        handle,
        isMissing(error) ? new WavecacheError("OBJECT_MISSING", path) : toWavecacheError(error),
      );
    }
  }

  #close(handle: number): void {
    const file = this.#files.get(handle);
    this.#files.delete(handle);
    if (file === undefined || file instanceof WavecacheError) return;
    file.close();
  }

  /** Answers one range, in slices where it is long. A failure may come after some of them. */
  #read(handle: number, offset: number, length: number): void {
    try {
      failpoint("reader.read");
      const file = this.#files.get(handle);
      if (file === undefined) throw new RangeError(`a read of handle ${handle}, which is not open`);
      if (file instanceof WavecacheError) throw file;
      let done = 0;
      do {
        const slice = Math.min(length - done, readSliceBytes);
        this.#sendSlice(file, offset + done, slice, done + slice === length);
        done += slice;
      } while (done < length);
    } catch (error) {
      this.#sendFailure(toWavecacheError(error));
    }
  }

  #sendSlice(file: OpenFile, offset: number, length: number, last: boolean): void {
    const { results } = this.#lane;
    const at = this.#lane.reserveResult(last ? READ_LAST : READ_PART, 0, length);
    try {
      file.copy(offset, length, results.bytes, at);
    } catch (error) {
      // Its room is reserved already: it goes as a part, which the failure behind it makes void.
      results.relabel(READ_PART);
      throw error;
    }
    // What is done can be sent while the next slice is copied.
    if (results.unpublishedBytes >= readSliceBytes) this.#lane.publishResults();
  }

  #sendFailure(error: WavecacheError): void {
    const body = encodeFailure({ number: errorNumber(error.code), detail: error.detail ?? "" });
    const at = this.#lane.reserveResult(READ_FAILED, 0, body.length);
    this.#lane.results.bytes.set(body, at);
  }
}

/** The most that `Bun.mmap` maps (1.4.4: one byte more is "out of memory"). */
const maxMapBytes = 4 * GiB;

function canMap(path: string): boolean {
  return process.platform !== "win32" && fs.statSync(path).size <= maxMapBytes;
}

class MappedFile implements OpenFile {
  readonly #path: string;
  readonly #map: Uint8Array;

  constructor(path: string) {
    this.#path = path;
    this.#map = Bun.mmap(path, { shared: true });
  }

  copy(offset: number, length: number, bytes: Uint8Array, at: number): void {
    if (offset + length > this.#map.length)
      throw new Error(`${this.#path} is shorter than its catalog entry`);
    bytes.set(this.#map.subarray(offset, offset + length), at);
  }

  close(): void {
    detach(this.#map);
  }
}

class PositionedFile implements OpenFile {
  readonly #path: string;
  readonly #descriptor: number;

  constructor(path: string) {
    this.#path = path;
    this.#descriptor = fs.openSync(path, "r");
  }

  copy(offset: number, length: number, bytes: Uint8Array, at: number): void {
    let done = 0;
    while (done < length) {
      const got = fs.readSync(this.#descriptor, bytes, at + done, length - done, offset + done);
      if (got === 0) throw new Error(`${this.#path} is shorter than it should be`);
      done += got;
    }
  }

  close(): void {
    fs.closeSync(this.#descriptor);
  }
}
