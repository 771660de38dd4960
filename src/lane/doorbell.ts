/**
 * A doorbell wakes the thread that owns it. If the owner is awake, ringing costs one load.
 *
 *     word 0  rings so far
 *     word 1  1 while the owner sleeps or is about to
 *
 * No ring is lost. The owner sets word 1, then looks once more for work (and asks for room, if it waits for room), then
 * waits for word 0 to change. A ringer publishes its work first and then looks at word 1. All of these are sequentially
 * consistent, so at least one of the two sees the other.
 */

const ringsWord = 0;
const sleepingWord = 1;

/** More than two words, to keep other data off their cache line. */
export const doorbellBytes = 128;

export class Doorbell {
  readonly #words: Int32Array;

  /** `memory`: `doorbellBytes`, shared by the owner and the ringers. */
  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory, 0, 2);
  }

  /** Wakes the owner if it sleeps. Call this after publishing the work. */
  ring(): void {
    if (Atomics.load(this.#words, sleepingWord) === 0) return;
    Atomics.add(this.#words, ringsWord, 1);
    Atomics.notify(this.#words, ringsWord);
  }

  /** Blocks the owner until rung, or for `timeoutMs`. Returns at once if `hasWork` returns true. */
  wait(hasWork: () => boolean, timeoutMs: number): void {
    const rings = Atomics.load(this.#words, ringsWord);
    Atomics.store(this.#words, sleepingWord, 1);
    if (!hasWork()) Atomics.wait(this.#words, ringsWord, rings, timeoutMs);
    Atomics.store(this.#words, sleepingWord, 0);
  }

  /** As `wait`, for an owner that must not block: resolves when rung. One call at a time. */
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
