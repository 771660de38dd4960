/** Puts numbered blocks in order: bounded by a window behind the first that is missing. */
import { type BlockRange, maxMissingRanges } from "../../wire/reliable-udp.ts";

const nothing: readonly Uint8Array[] = [];

export class BlockWindow {
  readonly #blocks: number;
  /** Blocks that came before an earlier one, by their number modulo the window. */
  readonly #early: (Uint8Array | undefined)[];
  #next = 0;
  #seen = 0;

  /** For so many blocks in all, of which so many may come before the one that is waited for. */
  constructor(blocks: number, window: number) {
    this.#blocks = blocks;
    this.#early = Array.from({ length: window });
  }

  /** All blocks below this are there. */
  get next(): number {
    return this.#next;
  }

  /** 1 more than the highest that is there. */
  get seen(): number {
    return this.#seen;
  }

  get isWhole(): boolean {
    return this.#next === this.#blocks;
  }

  /** Takes a block; returns what can be handed on now, in order. One that is there already changes nothing. */
  take(block: number, bytes: Uint8Array): readonly Uint8Array[] {
    if (block < this.#next || block >= Math.min(this.#blocks, this.#next + this.#early.length))
      return nothing;
    this.#seen = Math.max(this.#seen, block + 1);
    this.#early[block % this.#early.length] ??= bytes;
    return block === this.#next ? this.#inOrder() : nothing;
  }

  /** The first of the missing ranges below `seen`. */
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

  #inOrder(): readonly Uint8Array[] {
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
