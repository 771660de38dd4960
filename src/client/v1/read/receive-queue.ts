/**
 * Audio that came and was not taken yet, on its way from a channel to its reader. It is bounded by the credit that the
 * channel gave; what is taken makes room for more.
 */
interface Piece {
  bytes: Uint8Array;
  /** Says that the piece is out of the way. */
  taken: () => void;
}

export class ReceiveQueue {
  readonly #pieces: Piece[] = [];
  #heldBytes = 0;
  #ending: { error: unknown } | "done" | undefined;
  #reader: (() => void) | undefined;
  #drained: (() => void)[] = [];

  get heldBytes(): number {
    return this.#heldBytes;
  }

  push(bytes: Uint8Array, taken: () => void): void {
    if (this.#ending !== undefined) return;
    this.#pieces.push({ bytes, taken });
    this.#heldBytes += bytes.length;
    this.#reader?.();
  }

  /** Nothing more will come; the reader first gets what is there. */
  end(): void {
    this.#ending ??= "done";
    this.#reader?.();
  }

  /** As `end`, and then this error. */
  fail(error: unknown): void {
    this.#ending ??= { error };
    this.#reader?.();
  }

  /** The reader wants no more, or is not to get it. */
  drop(error?: unknown): void {
    this.#ending = error === undefined ? "done" : { error };
    this.#pieces.length = 0;
    this.#heldBytes = 0;
    this.#reader?.();
    this.#wakeDrained();
  }

  /** The next piece, undefined at the end. One caller at a time. */
  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      const piece = this.#pieces.shift();
      if (piece !== undefined) {
        this.#heldBytes -= piece.bytes.length;
        piece.taken();
        if (this.#heldBytes === 0) this.#wakeDrained();
        return piece.bytes;
      }
      if (this.#ending === "done") return undefined;
      if (this.#ending !== undefined) throw this.#ending.error;
      await new Promise<void>((resolve) => (this.#reader = resolve));
    }
  }

  /** Resolves when the reader has taken everything. */
  async drained(): Promise<void> {
    if (this.#heldBytes > 0) await new Promise<void>((resolve) => this.#drained.push(resolve));
  }

  #wakeDrained(): void {
    for (const wake of this.#drained.splice(0)) wake();
  }
}
