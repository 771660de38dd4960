/**
 * A file that is measured while samples arrive: a header with the number of records, then the records.
 *
 * It is written in one piece when the segment ends, and a long segment's in several, between which it is closed. Its header
 * states no records until the end, so a file of a crash counts as damaged. Nobody syncs it: what is lost is made again from
 * the samples (measure.ts). For the same reason no failure here ends a recording.
 */
import * as fs from "node:fs";
import { toWavecacheError } from "../../../base/errors.ts";
import { failpoint } from "../../../base/failpoint.ts";
import { removeFile } from "../../layout.ts";

export interface MeasureFormat {
  headerBytes: number;
  /** Bytes of records in memory; more are appended to the file. */
  bufferedBytes: number;
  /** The header of a file with this many bytes of records. */
  encodeHeader(recordBytes: number): Uint8Array;
}

export class MeasureFile {
  /** Records that are not in the file. */
  readonly records: Uint8Array<ArrayBuffer>;
  readonly #format: MeasureFormat;
  /** Room for the header, then the records. */
  readonly #bytes: Uint8Array<ArrayBuffer>;
  #fill = 0;
  #fileBytes = 0;
  #path = "";
  #problem: string | undefined;

  constructor(format: MeasureFormat) {
    this.#format = format;
    this.#bytes = new Uint8Array(format.headerBytes + format.bufferedBytes);
    this.records = this.#bytes.subarray(format.headerBytes);
  }

  /** Where the next record goes in `records`. */
  get fill(): number {
    return this.#fill;
  }

  /** Why the file could not be written; undefined if it was. */
  get problem(): string | undefined {
    return this.#problem;
  }

  start(path: string): void {
    this.#path = path;
    this.#problem = undefined;
    this.#fileBytes = 0;
    this.#fill = 0;
  }

  /** A record of this many bytes was added behind the others. */
  advance(bytes: number): void {
    this.#fill += bytes;
    if (this.#fill === this.records.length) this.#flush(false);
  }

  /** Completes the file. */
  finish(): void {
    this.#flush(true);
  }

  /** Removes the file. */
  discard(): void {
    this.#try(() => removeFile(this.#path));
  }

  /** Appends the records in memory to the file. The last call writes their number into the header. */
  #flush(isLast: boolean): void {
    const bytes = this.#fill;
    this.#fill = 0;
    if (this.#problem !== undefined) return;
    this.#try(() => this.#append(bytes, isLast));
  }

  #append(bytes: number, isLast: boolean): void {
    failpoint("record.peaks");
    const { headerBytes, encodeHeader } = this.#format;
    const isFirst = this.#fileBytes === 0;
    const recordBytes = Math.max(0, this.#fileBytes - headerBytes) + bytes;
    const header = encodeHeader(isLast ? recordBytes : 0);
    this.#bytes.set(header);
    const descriptor = fs.openSync(this.#path, isFirst ? "w" : "r+");
    try {
      const from = isFirst ? 0 : headerBytes;
      writeAll(descriptor, this.#bytes.subarray(from, headerBytes + bytes), this.#fileBytes);
      if (isLast && !isFirst) writeAll(descriptor, header, 0);
    } finally {
      fs.closeSync(descriptor);
    }
    this.#fileBytes = headerBytes + recordBytes;
  }

  #try(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#problem = toWavecacheError(error).message;
    }
  }
}

function writeAll(descriptor: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length;) {
    done += fs.writeSync(descriptor, bytes, done, bytes.length - done, at + done);
  }
}
