/**
 * The ranges of a pipelined download. Answers come in the order of the GETs. A short answer leaves a gap, which is
 * requested again behind the GETs in flight, so later bytes arrive before the gap is filled:
 *
 *     taken        gap       early
 *     ========>|.........|#########|.........|      from `taken` to the right at most window * getBytes
 *
 * It only does the bookkeeping; the caller sends and receives.
 */

export interface GetRange {
  offset: number;
  length: number;
}

export class Reassembly {
  readonly #endBytes: number;
  readonly #getBytes: number;
  readonly #window: number;
  /** Requested and not answered, in order. */
  readonly #inFlight: GetRange[] = [];
  /** What short answers left out; requested before any new range. */
  readonly #gaps: GetRange[] = [];
  /** Bytes that arrived before those in front of them, by offset. */
  readonly #early = new Map<number, Uint8Array>();
  #takenBytes: number;
  #freshBytes: number;

  /** Covers `offset` to `endBytes`, which is Infinity if the size is unknown. */
  constructor(offset: number, endBytes: number, getBytes: number, window: number) {
    this.#takenBytes = offset;
    this.#freshBytes = offset;
    this.#endBytes = endBytes;
    this.#getBytes = getBytes;
    this.#window = window;
  }

  /** Whether all bytes were taken. */
  get done(): boolean {
    return this.#takenBytes >= this.#endBytes;
  }

  /** Length of the oldest range in flight; undefined if there is none. */
  get awaitedBytes(): number | undefined {
    return this.#inFlight[0]?.length;
  }

  /** The next range to request; undefined while the window is full, and once everything is requested. */
  next(): GetRange | undefined {
    if (this.#inFlight.length >= this.#window) return undefined;
    const range = this.#gaps.shift() ?? this.#fresh();
    if (range !== undefined) this.#inFlight.push(range);
    return range;
  }

  #fresh(): GetRange | undefined {
    const limit = Math.min(this.#endBytes, this.#takenBytes + this.#window * this.#getBytes);
    const length = Math.min(this.#getBytes, limit - this.#freshBytes);
    if (length <= 0) return undefined;
    const range = { offset: this.#freshBytes, length };
    this.#freshBytes += length;
    return range;
  }

  /**
   * Stores the answer to the oldest GET, and tells how it differs from the requested range. Bytes past that range are
   * dropped: another GET requests them.
   */
  answer(bytes: Uint8Array): "whole" | "short" | "empty" | "unrequested" {
    const range = this.#inFlight.shift();
    if (range === undefined) return "unrequested";
    if (bytes.length === 0) return "empty";
    const { offset, length } = range;
    this.#early.set(offset, bytes.length > length ? bytes.subarray(0, length) : bytes);
    if (bytes.length >= length) return "whole";
    this.#gaps.push({ offset: offset + bytes.length, length: length - bytes.length });
    return "short";
  }

  /** Removes the next bytes of the stream; undefined if they have not arrived. */
  take(): Uint8Array | undefined {
    const bytes = this.#early.get(this.#takenBytes);
    if (bytes === undefined) return undefined;
    this.#early.delete(this.#takenBytes);
    this.#takenBytes += bytes.length;
    return bytes;
  }
}
