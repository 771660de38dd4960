/**
 * A doorbell: one thread sleeps at it, others ring. Ringing somebody who is awake costs one load.
 *
 *     word 0  rings so far
 *     word 1  1 while the owner sleeps or is about to
 *
 * No ring is lost: the owner says that it sleeps, then looks once more for work (and asks for what it waits for, if
 * that must be asked for), then waits for word 0 to change;
 * a ringer publishes its work first and looks at word 1 after. All of these are sequentially consistent, so at
 * least one of the two sees the other.
 */

const ringsWord = 0;
const sleepingWord = 1;

/** More than its two words take, so that nothing else is on their cache line. */
export const doorbellBytes = 128;

/** The two ends of a bell over `doorbellBytes` of shared memory. */
export class Doorbell {
  readonly #words: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory, 0, 2);
  }

  /** Wakes the owner if it sleeps. Call it after the work is published. */
  ring(): void {
    if (Atomics.load(this.#words, sleepingWord) === 0) return;
    Atomics.add(this.#words, ringsWord, 1);
    Atomics.notify(this.#words, ringsWord);
  }

  /** Blocks the calling worker until rung or for `timeoutMs`, unless `hasWork` already says true. */
  wait(hasWork: () => boolean, timeoutMs: number): void {
    const rings = Atomics.load(this.#words, ringsWord);
    Atomics.store(this.#words, sleepingWord, 1);
    if (!hasWork()) Atomics.wait(this.#words, ringsWord, rings, timeoutMs);
    Atomics.store(this.#words, sleepingWord, 0);
  }

  /**
   * The same for a thread that must not block: resolves when rung, at once if `hasWork` says true. At most one
   * call may be pending.
   */
  async waitAsync(hasWork: () => boolean): Promise<void> {
    const rings = Atomics.load(this.#words, ringsWord);
    Atomics.store(this.#words, sleepingWord, 1);
    if (!hasWork()) {
      const result = Atomics.waitAsync(this.#words, ringsWord, rings);
      if (result.async) await result.value;
    }
    Atomics.store(this.#words, sleepingWord, 0);
  }
}
