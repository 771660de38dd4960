/** How many bytes were added within the last moments: exact to a factor of two in time, and as cheap as two counters. */
export class RecentBytes {
  readonly #periodMs: number;
  readonly #monotonicMs: () => number;
  #startedAtMs = 0;
  #current = 0;
  #previous = 0;

  /** Counts what was added within `periodMs`, and forgets it within twice that time. */
  constructor(periodMs: number, monotonicMs: () => number = () => performance.now()) {
    this.#periodMs = periodMs;
    this.#monotonicMs = monotonicMs;
  }

  get bytes(): number {
    this.#advance();
    return this.#current + this.#previous;
  }

  add(bytes: number): void {
    this.#advance();
    this.#current += bytes;
  }

  #advance(): void {
    const now = this.#monotonicMs();
    const elapsedMs = now - this.#startedAtMs;
    if (elapsedMs < this.#periodMs) return;
    this.#previous = elapsedMs < 2 * this.#periodMs ? this.#current : 0;
    this.#current = 0;
    this.#startedAtMs = now;
  }
}
