/** Splits bytes that arrive in pieces of any length into blocks of one length, and copies only what spans two pieces. */
export class BlockSplitter {
  readonly #blockBytes: number;
  readonly #onBlock: (block: Uint8Array) => void;
  /** The beginning of a block whose rest has not arrived. */
  #partial: Uint8Array | undefined;
  #partialBytes = 0;

  /** `onBlock` gets each block, valid until it returns. */
  constructor(blockBytes: number, onBlock: (block: Uint8Array) => void) {
    this.#blockBytes = blockBytes;
    this.#onBlock = onBlock;
  }

  /** Bytes of the block that is not complete. */
  get partialBytes(): number {
    return this.#partialBytes;
  }

  add(bytes: Uint8Array): void {
    const length = this.#blockBytes;
    let at = 0;
    if (this.#partialBytes > 0) {
      at = Math.min(bytes.length, length - this.#partialBytes);
      this.#keep(bytes.subarray(0, at));
    }
    for (; at + length <= bytes.length; at += length) this.#onBlock(bytes.subarray(at, at + length));
    if (at < bytes.length) this.#keep(bytes.subarray(at));
  }

  /** Gives the last block, which may be shorter. The next bytes begin a new one. */
  flush(): void {
    if (this.#partialBytes === 0) return;
    const last = this.#partial!.subarray(0, this.#partialBytes);
    this.#partialBytes = 0;
    this.#onBlock(last);
  }

  /** Adds bytes that end within the current block or complete it. */
  #keep(bytes: Uint8Array): void {
    this.#partial ??= new Uint8Array(this.#blockBytes);
    this.#partial.set(bytes, this.#partialBytes);
    this.#partialBytes += bytes.length;
    if (this.#partialBytes === this.#blockBytes) this.flush();
  }
}
