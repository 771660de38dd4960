/** A reorder buffer: returns numbered blocks in order. The window bounds how far ahead of the first missing block it is. */
import { type BlockRange, maxMissingRanges } from "../../wire/reliable-udp.ts";

const nothing: readonly Uint8Array[] = [];

export class BlockWindow {
  readonly #blocks: number;
  /** Blocks ahead of the first missing one, by their number modulo the window. */
  readonly #early: (Uint8Array | undefined)[];
  #next = 0;
  #seen = 0;

  /** Expects `blocks` blocks, and keeps up to `windowBlocks` ahead of the first missing one. */
  constructor(blocks: number, windowBlocks: number) {
    this.#blocks = blocks;
    this.#early = Array.from({ length: windowBlocks });
  }

  /** The first missing block; all below it have arrived. */
  get next(): number {
    return this.#next;
  }

  /** The highest block that has arrived, plus 1. */
  get seen(): number {
    return this.#seen;
  }

  get isWhole(): boolean {
    return this.#next === this.#blocks;
  }

  /** Adds a block and returns the blocks that are in order now. Duplicates and blocks outside the window are ignored. */
  add(block: number, bytes: Uint8Array): readonly Uint8Array[] {
    const end = Math.min(this.#blocks, this.#next + this.#early.length);
    if (block < this.#next || block >= end) return nothing;
    this.#seen = Math.max(this.#seen, block + 1);
    this.#early[block % this.#early.length] ??= bytes;
    return block === this.#next ? this.#takeInOrder() : nothing;
  }

  /** The missing ranges below `seen`, from the first, up to `maxMissingRanges`. */
  missing(): BlockRange[] {
    const ranges: BlockRange[] = [];
    for (let at = this.#next; at < this.#seen && ranges.length < maxMissingRanges;) {
      const from = at;
      while (at < this.#seen && !this.#has(at)) at += 1;
      ranges.push({ from, to: at });
      while (at < this.#seen && this.#has(at)) at += 1;
    }
    return ranges;
  }

  #has(block: number): boolean {
    return this.#early[block % this.#early.length] !== undefined;
  }

  #takeInOrder(): readonly Uint8Array[] {
    const parts: Uint8Array[] = [];
    for (let at = this.#next % this.#early.length; this.#early[at] !== undefined;) {
      parts.push(this.#early[at]!);
      this.#early[at] = undefined;
      this.#next += 1;
      at = this.#next % this.#early.length;
    }
    return parts;
  }
}
