/** Received audio that its reader has not read yet. The credit of the channel bounds it. */

interface Piece {
  bytes: Uint8Array;
  /** Called when the piece is read, to grant credit for more. */
  onRead: () => void;
}

export class ReceiveQueue {
  readonly #pieces: Piece[] = [];
  #queuedBytes = 0;
  #ending: { error: unknown } | "done" | undefined;
  #wakeReader: (() => void) | undefined;
  #drainWaiters: (() => void)[] = [];

  push(bytes: Uint8Array, onRead: () => void): void {
    if (this.#ending !== undefined) return;
    this.#pieces.push({ bytes, onRead });
    this.#queuedBytes += bytes.length;
    this.#wakeReader?.();
  }

  /** Ends the queue; what it holds can still be read. */
  end(): void {
    this.#ending ??= "done";
    this.#wakeReader?.();
  }

  /** Fails the queue; what it holds can still be read, then `next` throws this error. */
  fail(error: unknown): void {
    this.#ending ??= { error };
    this.#wakeReader?.();
  }

  /** Drops what the queue holds and ends it, with this error if there is one. */
  clear(error?: unknown): void {
    this.#ending = error === undefined ? "done" : { error };
    this.#pieces.length = 0;
    this.#queuedBytes = 0;
    this.#wakeReader?.();
    this.#wakeDrainWaiters();
  }

  /** Waits for the next piece; undefined at the end. Only one call may wait at a time. */
  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      const piece = this.#pieces.shift();
      if (piece !== undefined) {
        this.#queuedBytes -= piece.bytes.length;
        piece.onRead();
        if (this.#queuedBytes === 0) this.#wakeDrainWaiters();
        return piece.bytes;
      }
      if (this.#ending === "done") return undefined;
      if (this.#ending !== undefined) throw this.#ending.error;
      await new Promise<void>((resolve) => (this.#wakeReader = resolve));
    }
  }

  /** Resolves when the queue is empty. */
  async drained(): Promise<void> {
    if (this.#queuedBytes > 0) await new Promise<void>((resolve) => this.#drainWaiters.push(resolve));
  }

  #wakeDrainWaiters(): void {
    for (const wake of this.#drainWaiters.splice(0)) wake();
  }
}
