/** A file that a reader thread reads. Nothing is memory-mapped: truncating a mapped file would kill the process. */
import * as fs from "node:fs";

export interface ReadableFile {
  /** Copies `length` bytes from `offset` of the file to `bytes[at]`. Throws an error of the table or of the system. */
  copy(offset: number, length: number, bytes: Uint8Array, at: number): void;
  /** There is background work. */
  readonly hasWork: boolean;
  /** Does a slice of it. */
  work(): void;
  close(): void;
}

/** The file of an upload in progress. It may grow. */
export class GrowingFile implements ReadableFile {
  readonly #path: string;
  readonly #descriptor: number;

  /** Throws the system's error. */
  constructor(path: string) {
    this.#path = path;
    this.#descriptor = fs.openSync(path, "r");
  }

  copy(offset: number, length: number, bytes: Uint8Array, at: number): void {
    const got = readFully(this.#descriptor, bytes, at, length, offset);
    if (got < length) throw new Error(`${this.#path} is shorter than it should be`);
  }

  readonly hasWork = false;

  work(): void {}

  close(): void {
    fs.closeSync(this.#descriptor);
  }
}

/** Reads until the range or the file ends; returns how many bytes it read to `bytes[at]`. */
export function readFully(
  descriptor: number,
  bytes: Uint8Array,
  at: number,
  length: number,
  position: number,
): number {
  let done = 0;
  while (done < length) {
    const got = fs.readSync(descriptor, bytes, at + done, length - done, position + done);
    if (got === 0) break;
    done += got;
  }
  return done;
}
