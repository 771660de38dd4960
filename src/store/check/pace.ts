/** Spreads background work out, so that the thread answers its calls and the disk serves others meanwhile. */

/** Work this long without a rest. */
const workMs = 2;
/** Rest this many times as long as the work took: background work gets a quarter of the time. */
const restFactor = 3;

export class Pace {
  readonly #signal: AbortSignal;
  readonly #beforeWork: () => void;
  #workingSinceMs = performance.now();

  /** `signal` ends the work: `rest` throws then. `beforeWork` may abort it. */
  constructor(signal: AbortSignal, beforeWork: () => void = () => {}) {
    this.#signal = signal;
    this.#beforeWork = beforeWork;
  }

  /** Call it after each step; a step takes milliseconds. */
  async rest(): Promise<void> {
    this.#beforeWork();
    this.#signal.throwIfAborted();
    const workedMs = performance.now() - this.#workingSinceMs;
    if (workedMs < workMs) return;
    await sleep(workedMs * restFactor, this.#signal);
    this.#beforeWork();
    this.#signal.throwIfAborted();
    this.#workingSinceMs = performance.now();
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, ms);
    signal.addEventListener("abort", wake);
  });
}
