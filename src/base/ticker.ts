/** Calls tasks again and again, and says what time it is, in milliseconds since some moment. */
export interface Ticks {
  now(): number;
  add(task: () => void): void;
  remove(task: () => void): void;
}

/** One timer for everything that has something to do every few milliseconds; it runs only while there is anything. */
export class Ticker implements Ticks {
  readonly #intervalMs: number;
  readonly #tasks = new Set<() => void>();
  #timer: Timer | undefined;

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  /** Things that are called. */
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
