/**
 * A ring of variable-sized records between one producing and one consuming thread.
 *
 *     byte  0         128        256
 *           | tail ...| head ... | data: capacity bytes, a power of two
 *
 *     data  |////| free |record|record|record|// free //|
 *                       ^ head               ^ tail
 *
 * `tail` and `head` are free-running unsigned 32-bit byte counts, masked on access. `tail - head` (mod 2^32) is the
 * number of bytes in use and never exceeds the capacity. Each count has a cache line of its own. Each side keeps its own
 * counter in a plain field and caches the other's, which it reloads only when the ring looks full (or empty), because
 * every Atomics call costs a fence.
 *
 * A record is a header of four 32-bit words and a body, together padded to 16 bytes:
 *
 *     word 0  bytes of the whole record, padding included
 *     word 1  bytes of the body
 *     word 2  kind (1 and up; 0 pads the unused end of the data before the ring wraps)
 *     word 3  subject (a stream's slot, a file's handle)
 *
 * A body is always contiguous: a worker hashes and writes it in place.
 */

const tailWord = 0;
const headWord = 32;
/** Free bytes that a producer waits for; 0 if it does not. */
const wantedWord = 48;
const dataByte = 256;
const headerBytes = 16;
const alignment = 16;
const padKind = 0;

/** What `RingProducer.reserve` returns when there is no room now. */
export const FULL = -1;

/** Shared memory of a ring for `capacityBytes` of records: a power of two, at least 1 KiB. */
export function allocateRing(capacityBytes: number): SharedArrayBuffer {
  if (capacityBytes < 1024 || capacityBytes > 2 ** 30 || (capacityBytes & (capacityBytes - 1)) !== 0) {
    throw new RangeError(`a ring of ${capacityBytes} bytes: not a power of two from 1 KiB to 1 GiB`);
  }
  return new SharedArrayBuffer(dataByte + capacityBytes);
}

/** A ring seen from outside, by neither of its ends: for metrics. */
export class RingView {
  readonly capacityBytes: number;
  readonly #words: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.capacityBytes = memory.byteLength - dataByte;
    this.#words = new Int32Array(memory);
  }

  /** Bytes between the two ends. */
  get usedBytes(): number {
    // The head first: it never passes the tail, so a tail read later cannot lie before it.
    const head = Atomics.load(this.#words, headWord);
    return Math.min((Atomics.load(this.#words, tailWord) - head) >>> 0, this.capacityBytes);
  }
}

/**
 * The longest body that fits into an empty ring at every position. A record may have to skip the end of the data, so this
 * is half the capacity less a header.
 */
export function maxBodyBytes(capacityBytes: number): number {
  return capacityBytes / 2 - headerBytes;
}

/** Bytes that a record takes in a ring, without padding at the end of the data. */
export function recordBytes(bodyBytes: number): number {
  return align(headerBytes + bodyBytes);
}

/** The producing end. Records become visible to the consumer with `publish`, a batch at a time. */
export class RingProducer {
  /** The ring's memory; bodies are written into it at the offsets that `reserve` and `extend` return. */
  readonly bytes: Uint8Array;
  readonly capacityBytes: number;
  readonly #words: Int32Array;
  readonly #mask: number;
  readonly #maxBody: number;
  #tail: number;
  #published: number;
  #head: number;
  /** Counter position of the newest record while it is unpublished, else -1. */
  #open = -1;

  constructor(memory: SharedArrayBuffer) {
    this.bytes = new Uint8Array(memory);
    this.#words = new Int32Array(memory);
    this.capacityBytes = memory.byteLength - dataByte;
    this.#mask = this.capacityBytes - 1;
    this.#maxBody = maxBodyBytes(this.capacityBytes);
    this.#tail = Atomics.load(this.#words, tailWord) >>> 0;
    this.#published = this.#tail;
    this.#head = Atomics.load(this.#words, headWord) >>> 0;
  }

  /** Bytes reserved since the last `publish`. */
  get unpublishedBytes(): number {
    return (this.#tail - this.#published) >>> 0;
  }

  /** Bytes in the ring, headers included. May be stale, and is then too high. */
  get usedBytes(): number {
    return (this.#tail - this.#head) >>> 0;
  }

  /**
   * Appends a record with a body of `bodyBytes` and returns where in `bytes` its body goes, or FULL if the ring
   * has no room now. Throws a RangeError for a body that can never fit.
   */
  reserve(kind: number, subject: number, bodyBytes: number): number {
    if (bodyBytes > this.#maxBody) throw new RangeError(`a body of ${bodyBytes} bytes can never fit`);
    const bytes = recordBytes(bodyBytes);
    const toEnd = this.capacityBytes - (this.#tail & this.#mask);
    const pad = toEnd < bytes ? toEnd : 0;
    if (!this.#hasRoom(pad + bytes)) return FULL;
    if (pad !== 0) this.#writeHeader(pad, 0, padKind, 0);
    this.#open = this.#tail;
    this.#writeHeader(bytes, bodyBytes, kind, subject);
    return dataByte + (this.#open & this.#mask) + headerBytes;
  }

  /**
   * Lengthens the newest record by `moreBytes` if it is unpublished, has this kind and subject, stays within `maxBytes`
   * and has room behind it. Returns where the added bytes go, or FULL if a new record is needed.
   */
  extend(kind: number, subject: number, moreBytes: number, maxBytes: number): number {
    if (this.#open < 0) return FULL;
    const at = (dataByte + (this.#open & this.#mask)) >> 2;
    const words = this.#words;
    if (words[at + 2] !== kind || words[at + 3] !== subject) return FULL;
    const oldBody = words[at + 1]!;
    const body = oldBody + moreBytes;
    if (body > maxBytes || body > this.#maxBody) return FULL;
    const oldBytes = words[at]!;
    const bytes = recordBytes(body);
    if ((this.#open & this.#mask) + bytes > this.capacityBytes) return FULL;
    if (!this.#hasRoom(bytes - oldBytes)) return FULL;
    words[at] = bytes;
    words[at + 1] = body;
    this.#tail = (this.#tail + bytes - oldBytes) >>> 0;
    return dataByte + (this.#open & this.#mask) + headerBytes + oldBody;
  }

  /** Changes the kind of the newest record, which must still be unpublished. */
  relabel(kind: number): void {
    if (this.#open < 0) throw new Error("there is no unpublished record to relabel");
    this.#words[((dataByte + (this.#open & this.#mask)) >> 2) + 2] = kind;
  }

  /** Makes everything reserved so far visible. Returns false if there was nothing new. */
  publish(): boolean {
    if (this.#tail === this.#published) return false;
    this.#published = this.#tail;
    this.#open = -1;
    Atomics.store(this.#words, tailWord, this.#tail | 0);
    return true;
  }

  /**
   * Asks the consumer to ring once a release leaves at least `freeBytes` free. The request is good for one ring, even if
   * the caller has seen that release already. So ask before each sleep, and look for room once more after asking.
   */
  wantRoom(freeBytes: number): void {
    Atomics.store(this.#words, wantedWord, freeBytes);
  }

  /** Free bytes, with the consumer's counter reloaded. */
  refreshFreeBytes(): number {
    return this.capacityBytes - this.refreshUsedBytes();
  }

  /** `usedBytes`, with the consumer's counter reloaded. */
  refreshUsedBytes(): number {
    this.#head = Atomics.load(this.#words, headWord) >>> 0;
    return this.usedBytes;
  }

  #hasRoom(bytes: number): boolean {
    if (this.capacityBytes - this.usedBytes >= bytes) return true;
    return this.capacityBytes - this.refreshUsedBytes() >= bytes;
  }

  #writeHeader(bytes: number, bodyBytes: number, kind: number, subject: number): void {
    const at = (dataByte + (this.#tail & this.#mask)) >> 2;
    this.#words[at] = bytes;
    this.#words[at + 1] = bodyBytes;
    this.#words[at + 2] = kind;
    this.#words[at + 3] = subject;
    this.#tail = (this.#tail + bytes) >>> 0;
  }
}

/** The consuming end: `next` steps to a record and shows it in the fields, `release` frees its room. */
export class RingConsumer {
  /** The ring's memory; the current record's body is `bytes[offset .. offset + length]`. */
  readonly bytes: Uint8Array;
  readonly capacityBytes: number;
  kind = 0;
  subject = 0;
  offset = 0;
  length = 0;
  readonly #words: Int32Array;
  readonly #mask: number;
  #position: number;
  #released: number;
  #tail: number;

  constructor(memory: SharedArrayBuffer) {
    this.bytes = new Uint8Array(memory);
    this.#words = new Int32Array(memory);
    this.capacityBytes = memory.byteLength - dataByte;
    this.#mask = this.capacityBytes - 1;
    this.#position = Atomics.load(this.#words, headWord) >>> 0;
    this.#released = this.#position;
    this.#tail = this.#position;
  }

  /** True if there is a record. False may be stale: a record may just be being published. */
  hasNext(): boolean {
    if (this.#position !== this.#tail) return true;
    this.#tail = Atomics.load(this.#words, tailWord) >>> 0;
    return this.#position !== this.#tail;
  }

  /** Steps to the next record. Returns false, with the fields unchanged, if there is none. */
  next(): boolean {
    while (this.hasNext()) {
      const start = dataByte + (this.#position & this.#mask);
      const at = start >> 2;
      this.#position = (this.#position + this.#words[at]!) >>> 0;
      if (this.#words[at + 2] === padKind) continue;
      this.length = this.#words[at + 1]!;
      this.kind = this.#words[at + 2]!;
      this.subject = this.#words[at + 3]!;
      this.offset = start + headerBytes;
      return true;
    }
    return false;
  }

  /** Bytes taken with `next` and not yet released. */
  get unreleasedBytes(): number {
    return (this.#position - this.#released) >>> 0;
  }

  /**
   * Frees the room of every record taken so far; their bodies must no longer be read. Returns true if the producer
   * waits for room and must be rung.
   */
  release(): boolean {
    if (this.#position === this.#released) return false;
    this.#released = this.#position;
    Atomics.store(this.#words, headWord, this.#position | 0);
    const wanted = Atomics.load(this.#words, wantedWord);
    // The cached tail may be stale, and `free` too high: a producer that is rung too early asks again.
    const free = this.capacityBytes - ((this.#tail - this.#position) >>> 0);
    if (wanted === 0 || free < wanted) return false;
    return Atomics.exchange(this.#words, wantedWord, 0) !== 0;
  }
}

function align(bytes: number): number {
  return (bytes + alignment - 1) & ~(alignment - 1);
}
