/** The open files and the ranges of one reader thread. */
import { errorNumber, toWavecacheError, WavecacheError } from "../../../src/base/errors.ts";
import { failpoint } from "../../../src/base/failpoint.ts";
import { readSliceBytes } from "../../../src/base/limits/lanes.ts";
import type { BlockingEnd } from "../../../src/lane/blocking-end.ts";
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
} from "../../../src/lane/messages/streams.ts";
import { isMissing } from "../../../src/store/layout.ts";
import type { Jobs } from "../../lane-loop.ts";
import { openReadableFile, type ReadableFile } from "./readable-file.ts";

export class ReadJobs implements Jobs {
  readonly #lane: BlockingEnd;
  /** By handle. For a file that could not be opened, the error that answers its reads. */
  readonly #files = new Map<number, ReadableFile | WavecacheError>();

  constructor(lane: BlockingEnd) {
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
    const { flag: isImmutable, text: path } = decodeOpen(body);
    try {
      this.#files.set(handle, openReadableFile(path, isImmutable));
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

  /** Answers one range, in slices if it is long. A failure may follow some slices. */
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

  #sendSlice(file: ReadableFile, offset: number, length: number, last: boolean): void {
    const { results } = this.#lane;
    const at = this.#lane.reserveResult(last ? READ_LAST : READ_PART, 0, length);
    try {
      file.copy(offset, length, results.bytes, at);
    } catch (error) {
      // Its room is already reserved: it goes as a part, and the failure that follows makes it void.
      results.relabel(READ_PART);
      throw error;
    }
    // The main thread sends this slice while the next one is copied.
    if (results.unpublishedBytes >= readSliceBytes) this.#lane.publishResults();
  }

  #sendFailure(error: WavecacheError): void {
    const body = encodeFailure({ number: errorNumber(error.code), detail: error.detail ?? "" });
    const at = this.#lane.reserveResult(READ_FAILED, 0, body.length);
    this.#lane.results.bytes.set(body, at);
  }
}
