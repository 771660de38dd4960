/**
 * Limits the unsent audio of all connections together, so that many slow readers cannot fill the memory. A read that
 * finds the budget used up waits for its turn, first come, first served.
 */
export class OutboundBudget {
  readonly #limitBytes: number;
  readonly #waiting = new Set<() => void>();
  #usedBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /**
   * Takes `bytes` if there is room. False: `wake` is called once there is. An unused budget grants any size, or a read
   * above the limit would wait forever.
   */
  take(bytes: number, wake: () => void): boolean {
    if (this.#usedBytes > 0 && this.#usedBytes + bytes > this.#limitBytes) {
      this.#waiting.add(wake);
      return false;
    }
    this.#usedBytes += bytes;
    return true;
  }

  /** Wakes all waiting reads once at least half of the budget is free. */
  release(bytes: number): void {
    this.#usedBytes -= bytes;
    if (this.#waiting.size === 0 || this.#usedBytes > this.#limitBytes / 2) return;
    const woken = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of woken) wake();
  }

  /** Removes `wake` from the waiting reads. */
  forget(wake: () => void): void {
    this.#waiting.delete(wake);
  }
}
