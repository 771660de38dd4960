/**
 * What is on its way to a file that is only appended to: bytes collect here, go to the file many at a time, and the
 * last of them may stay, for whoever looks back at them.
 *
 *     | kept, in the file already | unwritten | free |
 *     0                          from        fill    capacity
 *
 * The memory doubles when it is too small, and halves when half of it was not used.
 */
import * as fs from "node:fs";

/** A copy of up to so many bytes is quicker by hand, since it needs no view of its source. */
const plainCopyBytes = 512;

export class AppendBuffer {
  /** `bytes` and `samples` are two views of the same memory; they change when room is made. */
  bytes: Uint8Array<ArrayBuffer>;
  samples: Int16Array<ArrayBuffer>;
  #fill = 0;
  #unwrittenFrom = 0;
  #fileBytes = 0;
  readonly #usualBytes: number;

  /** Memory of `usualBytes` to begin with: an even number. */
  constructor(usualBytes: number) {
    this.#usualBytes = usualBytes;
    this.bytes = new Uint8Array(usualBytes);
    this.samples = new Int16Array(this.bytes.buffer);
  }

  /** Where the next byte goes. */
  get fill(): number {
    return this.#fill;
  }

  get unwrittenBytes(): number {
    return this.#fill - this.#unwrittenFrom;
  }

  /** Bytes that are in the file. */
  get fileBytes(): number {
    return this.#fileBytes;
  }

  /** Makes room for `more` bytes behind `fill`. What is there keeps its place. */
  makeRoom(more: number): void {
    const needed = this.#fill + more;
    if (needed <= this.bytes.length) return;
    let capacity = this.bytes.length;
    while (capacity < needed) capacity *= 2;
    this.#resize(capacity);
  }

  /** `more` bytes, for which there is room, have been put behind `fill`. */
  advance(more: number): void {
    this.#fill += more;
  }

  append(source: Uint8Array, at: number, length: number): void {
    this.makeRoom(length);
    if (length > plainCopyBytes) this.bytes.set(source.subarray(at, at + length), this.#fill);
    else copyBytes(source, at, this.bytes, this.#fill, length);
    this.#fill += length;
  }

  /** The bytes that are not in the file yet; valid until something is appended. */
  unwritten(): Uint8Array {
    return this.bytes.subarray(this.#unwrittenFrom, this.#fill);
  }

  /** Writes at the end of the file what is not in it yet. Throws the system's error, having written a part or nothing. */
  writeTo(descriptor: number): void {
    const length = this.unwrittenBytes;
    let written = 0;
    while (written < length) {
      written += fs.writeSync(
        descriptor,
        this.bytes,
        this.#unwrittenFrom + written,
        length - written,
        this.#fileBytes + written,
      );
    }
  }

  /** All of it is in the file now; the last `keepBytes` (or fewer) stay. Returns by how far they have moved down. */
  written(keepBytes: number): number {
    this.#fileBytes += this.unwrittenBytes;
    const used = this.#fill;
    const kept = Math.min(keepBytes, this.#fill);
    const moved = this.#fill - kept;
    this.bytes.copyWithin(0, moved, this.#fill);
    this.#fill = kept;
    this.#unwrittenFrom = kept;
    if (2 * used <= this.bytes.length && this.bytes.length > this.#usualBytes) {
      this.#resize(this.bytes.length / 2);
    }
    return moved;
  }

  /** Goes on in a new file, which has `fileBytes` already; what is kept stays. */
  startFile(fileBytes: number): void {
    this.#unwrittenFrom = this.#fill;
    this.#fileBytes = fileBytes;
  }

  #resize(capacity: number): void {
    const grown = new Uint8Array(capacity);
    grown.set(this.bytes.subarray(0, this.#fill));
    this.bytes = grown;
    this.samples = new Int16Array(grown.buffer);
  }
}

function copyBytes(source: Uint8Array, at: number, target: Uint8Array, to: number, length: number): void {
  for (let byte = 0; byte < length; byte++) target[to + byte] = source[at + byte]!;
}
