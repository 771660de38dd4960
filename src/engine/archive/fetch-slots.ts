/** How many pieces are fetched at the same time. Others wait in the order in which they came. */
import { WavecacheError } from "../../base/errors.ts";
import { maxFetches, maxWaitingFetches } from "../../base/limits/archive.ts";

export class FetchSlots {
  #inUse = 0;
  readonly #waiting: (() => void)[] = [];

  get inUse(): number {
    return this.#inUse;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get isFull(): boolean {
    return this.#inUse >= maxFetches;
  }

  /** Rejects with FETCHES_EXHAUSTED, or as the work does. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    await this.#take();
    try {
      return await work();
    } finally {
      this.#free();
    }
  }

  async #take(): Promise<void> {
    if (!this.isFull) {
      this.#inUse += 1;
      return;
    }
    if (this.#waiting.length >= maxWaitingFetches) throw new WavecacheError("FETCHES_EXHAUSTED");
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    await promise;
  }

  /** Who waits longest gets the slot. */
  #free(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#inUse -= 1;
    else next();
  }
}
