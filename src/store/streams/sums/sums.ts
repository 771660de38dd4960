/**
 * Block checksums: an xxHash3 of each block of an object. A read compares the blocks that it touches and so finds damage
 * without hashing the whole object. The checksums of an object are in a file of their own, sums-v1/<2 hex>/<sha-256>,
 * little-endian:
 *
 *      0   8 bytes   "WCSUMS" 0x00 0x01
 *      8   u32       bytes of a block
 *     12   u32       0
 *     16   u64       size of the object
 *     24   u64       xxHash3 of this file with 0 here
 *     32   u64       xxHash3 of each block, in order; the last block may be shorter
 *
 * A writer computes them from the bytes that it received, never from the disk. The file is not synced: whoever finds it
 * missing or broken hashes the object again (verification.ts).
 */
import { BlockSplitter } from "../../block-splitter.ts";
import { KiB } from "../../../base/limits/units.ts";

/**
 * Reads verify whole blocks, so a longer block makes short and unaligned reads slower, and a shorter one makes more
 * checksums. With 16 KiB a read of 63 KiB at any offset hashes a quarter more than it returns, and the checksums take
 * 1/2048 of the audio.
 */
export const blockBytes = 16 * KiB;

const headBytes = 32;
const sumBytes = 8;
const checksumAt = 24;
const magic = Uint8Array.of(0x57, 0x43, 0x53, 0x55, 0x4d, 0x53, 0, 1);

/** Bytes of the checksum file of an object with `size` bytes. */
export function sumsFileBytes(size: number): number {
  return headBytes + sumBytes * Math.ceil(size / blockBytes);
}

/** The checksums of one object. */
export class BlockSums {
  /** Bytes of the object. */
  readonly size: number;
  readonly #sums: BigUint64Array<ArrayBuffer>;

  constructor(size: number, sums: BigUint64Array<ArrayBuffer>) {
    this.size = size;
    this.#sums = sums;
  }

  /** Memory that the checksums take. */
  get bytes(): number {
    return this.#sums.byteLength;
  }

  /**
   * Compares the blocks in `bytes`, which start with block `first`. Only the last block of the object may be short.
   * Returns the number of the first block that differs, or undefined.
   */
  firstDamaged(first: number, bytes: Uint8Array): number | undefined {
    for (let at = 0, block = first; at < bytes.length; at += blockBytes, block += 1) {
      const isOne = bytes.length <= blockBytes;
      const piece = isOne ? bytes : bytes.subarray(at, at + blockBytes);
      if (Bun.hash.xxHash3(piece) !== this.#sums[block]) return block;
    }
    return undefined;
  }

  /** One value for the checksums of the blocks in a range of the object, which starts with a block. */
  digestOf(from: number, to: number): string {
    const sums = this.#sums.subarray(from / blockBytes, Math.ceil(to / blockBytes));
    return Bun.hash.xxHash3(sums).toString(16).padStart(16, "0");
  }

  /** The checksum file. */
  encode(): Uint8Array<ArrayBuffer> {
    const file = new Uint8Array(headBytes + this.#sums.byteLength);
    const view = new DataView(file.buffer);
    file.set(magic);
    view.setUint32(8, blockBytes, true);
    view.setBigUint64(16, BigInt(this.size), true);
    file.set(new Uint8Array(this.#sums.buffer, this.#sums.byteOffset, this.#sums.byteLength), headBytes);
    view.setBigUint64(checksumAt, Bun.hash.xxHash3(file), true);
    return file;
  }

  /** Undefined if the file is broken, or of another layout. Changes `file`. */
  static decode(file: Uint8Array<ArrayBuffer>): BlockSums | undefined {
    if (file.length < headBytes || magic.some((byte, index) => file[index] !== byte)) return undefined;
    const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
    const size = Number(view.getBigUint64(16, true));
    if (view.getUint32(8, true) !== blockBytes || file.length !== sumsFileBytes(size)) return undefined;
    const checksum = view.getBigUint64(checksumAt, true);
    view.setBigUint64(checksumAt, 0n, true);
    if (Bun.hash.xxHash3(file) !== checksum) return undefined;
    return new BlockSums(size, new BigUint64Array(file.slice(headBytes).buffer));
  }
}

/** Computes the checksums of audio that arrives in pieces of any length. */
export class SumsBuilder {
  #sums = new BigUint64Array(8);
  #count = 0;
  readonly #blocks = new BlockSplitter(blockBytes, (block) => this.#push(block));

  add(bytes: Uint8Array): void {
    this.#blocks.add(bytes);
  }

  /** The checksums of everything that was added. */
  finish(): BlockSums {
    const size = this.#count * blockBytes + this.#blocks.partialBytes;
    this.#blocks.flush();
    return new BlockSums(size, this.#sums.slice(0, this.#count));
  }

  #push(block: Uint8Array): void {
    if (this.#count === this.#sums.length) {
      const longer = new BigUint64Array(2 * this.#count);
      longer.set(this.#sums);
      this.#sums = longer;
    }
    this.#sums[this.#count] = Bun.hash.xxHash3(block);
    this.#count += 1;
  }
}
