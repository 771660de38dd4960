/**
 * Starts a thread again after it died: soon the first time, later each time it dies young, so that a thread that
 * cannot live does not take the processor with it.
 */

const firstDelayMs = 20;
const longestDelayMs = 5_000;
/** A thread that has lived this long is taken for healthy. */
const healthyMs = 30_000;

export class Respawn {
  readonly #spawn: () => void;
  #delayMs = firstDelayMs;
  #spawnedAt = performance.now();
  #timer: Timer | undefined;

  constructor(spawn: () => void) {
    this.#spawn = spawn;
  }

  /** The thread is dead and not yet started again. */
  get pending(): boolean {
    return this.#timer !== undefined;
  }

  schedule(): void {
    if (performance.now() - this.#spawnedAt > healthyMs) this.#delayMs = firstDelayMs;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#spawnedAt = performance.now();
      this.#spawn();
    }, this.#delayMs);
    this.#delayMs = Math.min(this.#delayMs * 2, longestDelayMs);
  }

  /** Leaves the thread dead. */
  async cancel(): Promise<void> {
    clearTimeout(this.#timer);
  }
}
