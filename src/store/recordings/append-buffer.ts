/**
 * The write buffer of an append-only file. Bytes collect here and go to the file in one write. The last bytes of a
 * write may stay as history, for a decoder that looks back.
 *
 *     | history, already in the file | unwritten | free |
 *     0                              from        fill   capacity
 *
 * The capacity doubles when it is too small, and halves after a write that needed at most half of it.
 */
import * as fs from "node:fs";

/** Up to this length a loop copies faster than `set`, which needs a view of its source. */
const maxLoopCopyBytes = 512;

export class AppendBuffer {
  /** Two views of the same memory; a resize replaces both. */
  bytes: Uint8Array<ArrayBuffer>;
  samples: Int16Array<ArrayBuffer>;
  #fill = 0;
  #unwrittenFrom = 0;
  #fileBytes = 0;
  readonly #minBytes: number;

  /** `minBytes` is the initial and smallest capacity, an even number. */
  constructor(minBytes: number) {
    this.#minBytes = minBytes;
    this.bytes = new Uint8Array(minBytes);
    this.samples = new Int16Array(this.bytes.buffer);
  }

  /** Index of the next byte. */
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

  /** Makes room for `more` bytes after `fill`. Existing bytes keep their index. */
  makeRoom(more: number): void {
    const needed = this.#fill + more;
    if (needed <= this.bytes.length) return;
    let capacity = this.bytes.length;
    while (capacity < needed) capacity *= 2;
    this.#resize(capacity);
  }

  /** Commits `more` bytes that the caller wrote after `fill`, into room that `makeRoom` made. */
  advance(more: number): void {
    this.#fill += more;
  }

  append(source: Uint8Array, at: number, length: number): void {
    this.makeRoom(length);
    if (length > maxLoopCopyBytes) this.bytes.set(source.subarray(at, at + length), this.#fill);
    else copyBytes(source, at, this.bytes, this.#fill, length);
    this.#fill += length;
  }

  /** The bytes that are not in the file yet; valid until the next append. */
  unwritten(): Uint8Array {
    return this.bytes.subarray(this.#unwrittenFrom, this.#fill);
  }

  /** Appends the unwritten bytes to the file. On an error of the system, which it throws, a part may be written. */
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

  /**
   * Marks all bytes as written and keeps up to `keepBytes` of them as history. Returns by how many bytes the history
   * has moved down.
   */
  markWritten(keepBytes: number): number {
    this.#fileBytes += this.unwrittenBytes;
    const used = this.#fill;
    const kept = Math.min(keepBytes, this.#fill);
    const moved = this.#fill - kept;
    this.bytes.copyWithin(0, moved, this.#fill);
    this.#fill = kept;
    this.#unwrittenFrom = kept;
    if (2 * used <= this.bytes.length && this.bytes.length > this.#minBytes) {
      this.#resize(this.bytes.length / 2);
    }
    return moved;
  }

  /** Continues in a new file of `fileBytes` bytes; the history stays. */
  startFile(fileBytes: number): void {
    this.#unwrittenFrom = this.#fill;
    this.#fileBytes = fileBytes;
  }

  #resize(capacity: number): void {
    const resized = new Uint8Array(capacity);
    resized.set(this.bytes.subarray(0, this.#fill));
    this.bytes = resized;
    this.samples = new Int16Array(resized.buffer);
  }
}

function copyBytes(source: Uint8Array, at: number, target: Uint8Array, to: number, length: number): void {
  for (let byte = 0; byte < length; byte++) target[to + byte] = source[at + byte]!;
}
