/**
 * Bytes on their way out over all connections, with a limit: a read is started only within it, whoever finds it used
 * up is called when there is room, first come, first served. So slow readers cannot fill the memory together.
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

  /** Takes `bytes` if there is room, or if nothing is under way at all. Otherwise `wake` is called later. */
  take(bytes: number, wake: () => void): boolean {
    if (this.#usedBytes > 0 && this.#usedBytes + bytes > this.#limitBytes) {
      this.#waiting.add(wake);
      return false;
    }
    this.#usedBytes += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#usedBytes -= bytes;
    if (this.#waiting.size === 0 || this.#usedBytes > this.#limitBytes / 2) return;
    const woken = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of woken) wake();
  }

  /** `wake` is not to be called any more. */
  forget(wake: () => void): void {
    this.#waiting.delete(wake);
  }
}
