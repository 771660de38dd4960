/** How many requests to the object store run at the same time. Others wait in the order in which they came. */
import { type ErrorCode, WavecacheError } from "../../base/errors.ts";

export interface SlotLimits {
  /** At the same time. */
  running: number;
  waiting: number;
  /** What one more gets. */
  refusal: ErrorCode;
}

export class RequestSlots {
  readonly #limits: SlotLimits;
  #inUse = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(limits: SlotLimits) {
    this.#limits = limits;
  }

  get inUse(): number {
    return this.#inUse;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get isFull(): boolean {
    return this.#inUse >= this.#limits.running;
  }

  /** Rejects with the refusal of the limits, or as the work does. */
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
    if (this.#waiting.length >= this.#limits.waiting) throw new WavecacheError(this.#limits.refusal);
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
