/** The open files and the ranges of one reader thread. */
import { errorNumber, toWavecacheError, WavecacheError } from "../../../src/base/errors.ts";
import { maxCachedSumsBytes } from "../../../src/base/limits/streams.ts";
import { failpoint } from "../../../src/base/failpoint.ts";
import { readSliceBytes } from "../../../src/base/limits/lanes.ts";
import type { BlockingEnd } from "../../../src/lane/blocking-end.ts";
import {
  type Body,
  decodeNumber,
  decodeOpen,
  encodeFailure,
  numberBytes,
  READ_CHECK,
  READ_CLOSE,
  READ_FAILED,
  READ_LAST,
  READ_OPEN,
  READ_PART,
  READ_RANGE,
  READ_VERIFY,
  READ_VOID,
} from "../../../src/lane/messages/streams.ts";
import { type CacheLayout, isMissing } from "../../../src/store/layout.ts";
import { SumsCache } from "../../../src/store/streams/sums/files.ts";
import type { Jobs } from "../../lane-loop.ts";
import { ObjectFile } from "./object-file.ts";
import { GrowingFile, type ReadableFile } from "./readable-file.ts";

interface Handle {
  path: string;
  isObject: boolean;
  /** Undefined before the first read, and while the file cannot be opened: each read tries again. */
  file: ReadableFile | undefined;
}

export class ReadJobs implements Jobs {
  readonly #lane: BlockingEnd;
  readonly #sums: SumsCache;
  readonly #handles = new Map<number, Handle>();
  /** Files with background work. */
  readonly #busy = new Set<ReadableFile>();

  constructor(lane: BlockingEnd, layout: CacheLayout) {
    this.#lane = lane;
    this.#sums = new SumsCache(layout, maxCachedSumsBytes);
  }

  run(kind: number, subject: number, body: Body): void {
    switch (kind) {
      case READ_RANGE:
        return this.#read(subject, decodeNumber(body), decodeNumber(body, numberBytes));
      case READ_CHECK:
        return this.#check(subject, body);
      case READ_VERIFY:
        return this.#verify(subject, body);
      case READ_OPEN:
        return this.#open(subject, body);
      case READ_CLOSE:
        return this.#close(subject);
      default:
        throw new RangeError(`a reader has no task of kind ${kind}`);
    }
  }

  background(): boolean {
    for (const file of this.#busy) {
      this.#busy.delete(file);
      // At the end of the set: the files take turns.
      file.work();
      if (file.hasWork) this.#busy.add(file);
      break;
    }
    return this.#busy.size > 0;
  }

  close(): void {
    for (const handle of Array.from(this.#handles.keys())) this.#close(handle);
  }

  #open(handle: number, body: Body): void {
    const { flag: isObject, text: path } = decodeOpen(body);
    this.#handles.set(handle, { path, isObject, file: undefined });
  }

  #close(handle: number): void {
    const file = this.#handles.get(handle)?.file;
    this.#handles.delete(handle);
    if (file === undefined) return;
    this.#busy.delete(file);
    file.close();
  }

  /** Throws the error that answers the read. */
  #fileOf(number: number): ReadableFile {
    const handle = this.#handles.get(number);
    if (handle === undefined) throw new RangeError(`a read of handle ${number}, which is not open`);
    const { path, isObject } = handle;
    handle.file ??= isObject ? new ObjectFile(path, this.#sums) : openGrowing(path);
    return handle.file;
  }

  #objectOf(handle: number): ObjectFile {
    const file = this.#fileOf(handle);
    if (!(file instanceof ObjectFile)) throw new RangeError("only objects can be verified");
    return file;
  }

  #check(handle: number, body: Body): void {
    try {
      const file = this.#objectOf(handle);
      file.check(decodeNumber(body), decodeNumber(body, numberBytes), decodeNumber(body, 2 * numberBytes));
      this.#lane.reserveResult(READ_LAST, 0, 0);
    } catch (error) {
      this.#sendFailure(toWavecacheError(error));
    }
  }

  #verify(handle: number, body: Body): void {
    try {
      const file = this.#objectOf(handle);
      const identity = file.verify(decodeNumber(body), decodeNumber(body, numberBytes));
      if (file.hasWork) this.#busy.add(file);
      const text = Buffer.from(identity);
      this.#lane.results.bytes.set(text, this.#lane.reserveResult(READ_LAST, 0, text.length));
    } catch (error) {
      this.#sendFailure(toWavecacheError(error));
    }
  }

  /** Answers one range, in slices if it is long. A failure may follow some slices. */
  #read(handle: number, offset: number, length: number): void {
    try {
      failpoint("reader.read");
      const file = this.#fileOf(handle);
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
      if (file.hasWork) this.#busy.add(file);
    } catch (error) {
      // Its room is already reserved, and holds what nobody may see.
      results.relabel(READ_VOID);
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

/** The upload may have finished: then its audio is at another path. */
function openGrowing(path: string): GrowingFile {
  try {
    return new GrowingFile(path);
  } catch (error) {
    if (isMissing(error)) throw new WavecacheError("OBJECT_MISSING", path);
    throw error;
  }
}
