/**
 * How long the store has been open, in all its runs together. Anything that expires is measured by it: a wall clock that
 * jumps ahead would expire everything at once. The store saves it now and then, so a crash forgets a little of it, and
 * what expires then stays a little longer.
 */

/** Save this often; a crash forgets at most this much. */
const saveIntervalMs = 60_000;

export class RunningTime {
  readonly #monotonicMs: () => number;
  readonly #startedAtMs: number;
  readonly #earlierMs: number;
  #savedMs: number;

  /** `earlierMs`: the running time of earlier runs, as saved. */
  constructor(earlierMs: number, monotonicMs: () => number) {
    this.#earlierMs = earlierMs;
    this.#monotonicMs = monotonicMs;
    this.#startedAtMs = monotonicMs();
    this.#savedMs = earlierMs;
  }

  get ms(): number {
    return Math.floor(this.#earlierMs + this.#monotonicMs() - this.#startedAtMs);
  }

  get isSaveDue(): boolean {
    return this.ms - this.#savedMs >= saveIntervalMs;
  }

  /** Returns the value to save. */
  save(): number {
    this.#savedMs = this.ms;
    return this.#savedMs;
  }
}
