/** A clock with a timer: calls tasks periodically. Times are monotonic milliseconds. */
export interface Ticks {
  now(): number;
  add(task: () => void): void;
  remove(task: () => void): void;
}

/** One interval timer shared by many tasks. It runs only while there are tasks. */
export class Ticker implements Ticks {
  readonly #intervalMs: number;
  readonly #tasks = new Set<() => void>();
  #timer: Timer | undefined;

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  /** Number of tasks. */
  get size(): number {
    return this.#tasks.size;
  }

  now(): number {
    return performance.now();
  }

  add(task: () => void): void {
    this.#tasks.add(task);
    this.#timer ??= setInterval(() => this.#tick(), this.#intervalMs);
  }

  remove(task: () => void): void {
    this.#tasks.delete(task);
    if (this.#tasks.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tick(): void {
    for (const task of this.#tasks) task();
  }
}
