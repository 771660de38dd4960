/** Reads bits, highest first. */

export class BitsExhaustedError extends Error {}

export class BitReader {
  readonly #source: Uint8Array;
  readonly #endBit: number;
  /** In bits, from the beginning of the source. */
  #at: number;

  /** From the byte `from` on. */
  constructor(source: Uint8Array, from: number) {
    this.#source = source;
    this.#at = from * 8;
    this.#endBit = source.length * 8;
  }

  /** The offset of the next byte that begins at or behind the position. */
  get nextByte(): number {
    return (this.#at + 7) >>> 3;
  }

  /** An unsigned number of up to 32 bits. Throws BitsExhaustedError, as all that follow. */
  read(bits: number): number {
    if (bits === 0) return 0;
    if (this.#at + bits > this.#endBit) throw new BitsExhaustedError();
    const value = this.#next32() >>> (32 - bits);
    this.#at += bits;
    return value;
  }

  /** A number in two's complement of up to 33 bits: a side channel has one more than a sample. */
  readSigned(bits: number): number {
    if (bits === 0) return 0;
    const high = this.read(1) * 2 ** (bits - 1);
    return this.read(bits - 1) - high;
  }

  /** Counts the zeros in front of the next one, and skips that too. */
  readUnary(): number {
    const from = this.#at;
    for (let word = this.#next32(); word === 0; word = this.#next32()) {
      this.#at += 32;
      if (this.#at >= this.#endBit) throw new BitsExhaustedError();
    }
    this.#at += Math.clz32(this.#next32()) + 1;
    if (this.#at > this.#endBit) throw new BitsExhaustedError();
    return this.#at - 1 - from;
  }

  /** The residuals of a partition, each a quotient in unary and a remainder of `bits`, into `out` up to `to`. */
  readRice(bits: number, out: Float64Array, from: number, to: number): void {
    const divisor = 2 ** bits;
    for (let at = from; at < to; at++) {
      const quotient = this.readUnary();
      const folded = quotient * divisor + this.read(bits);
      out[at] = folded % 2 === 0 ? folded / 2 : -(folded + 1) / 2;
    }
  }

  /** Zeros follow the end. */
  #next32(): number {
    const source = this.#source;
    const at = this.#at >>> 3;
    const shift = this.#at & 7;
    const word = (source[at]! << 24) | (source[at + 1]! << 16) | (source[at + 2]! << 8) | source[at + 3]!;
    return shift === 0 ? word : (word << shift) | (source[at + 4]! >> (8 - shift));
  }
}
