/**
 * The ranges of a pipelined download. Answers come in the order of the GETs, but a short answer leaves a gap that is
 * asked for again behind those under way, so that bytes can arrive before their turn:
 *
 *     written      gap       early
 *     ========>|.........|#########|.........|      never more than window * getBytes from `written` to the right
 *
 * Pure bookkeeping; knows no connection.
 */

export interface GetRange {
  offset: number;
  length: number;
}

export class Reassembly {
  readonly #endBytes: number;
  readonly #getBytes: number;
  readonly #window: number;
  /** Asked and not answered, in the order of the GETs. */
  readonly #asked: GetRange[] = [];
  /** What short answers left over, to be asked before anything new. */
  readonly #gaps: GetRange[] = [];
  /** Bytes that arrived before their turn, by offset. */
  readonly #early = new Map<number, Uint8Array>();
  #writtenBytes: number;
  #freshBytes: number;

  /** Ranges from `offset` to `endBytes` (Infinity where the size is not known). */
  constructor(offset: number, endBytes: number, getBytes: number, window: number) {
    this.#writtenBytes = offset;
    this.#freshBytes = offset;
    this.#endBytes = endBytes;
    this.#getBytes = getBytes;
    this.#window = window;
  }

  /** Whether every byte was taken. */
  get done(): boolean {
    return this.#writtenBytes >= this.#endBytes;
  }

  /** The next range to ask for; undefined while the window is full and when everything is asked for. */
  next(): GetRange | undefined {
    if (this.#asked.length >= this.#window) return undefined;
    const range = this.#gaps.shift() ?? this.#fresh();
    if (range !== undefined) this.#asked.push(range);
    return range;
  }

  #fresh(): GetRange | undefined {
    const limit = Math.min(this.#endBytes, this.#writtenBytes + this.#window * this.#getBytes);
    const length = Math.min(this.#getBytes, limit - this.#freshBytes);
    if (length <= 0) return undefined;
    const range = { offset: this.#freshBytes, length };
    this.#freshBytes += length;
    return range;
  }

  /**
   * Takes the answer to the oldest GET and returns how it differs from what was asked. Bytes past the asked length
   * are dropped: they belong to another GET.
   */
  answer(bytes: Uint8Array): "whole" | "short" | "empty" | "unasked" {
    const range = this.#asked.shift();
    if (range === undefined) return "unasked";
    if (bytes.length === 0) return "empty";
    const { offset, length } = range;
    this.#early.set(offset, bytes.length > length ? bytes.subarray(0, length) : bytes);
    if (bytes.length >= length) return "whole";
    this.#gaps.push({ offset: offset + bytes.length, length: length - bytes.length });
    return "short";
  }

  /** The next bytes in the order of the stream, if they are here. */
  take(): Uint8Array | undefined {
    const bytes = this.#early.get(this.#writtenBytes);
    if (bytes === undefined) return undefined;
    this.#early.delete(this.#writtenBytes);
    this.#writtenBytes += bytes.length;
    return bytes;
  }
}
