/**
 * Restarts a thread that died: at once the first time, later each time it dies young. Without the backoff a thread that
 * fails at its start would take up a processor.
 */
import { canStartThread } from "../base/system/descriptors.ts";

const minDelayMs = 50;
const maxDelayMs = 5_000;
/** A thread that dies after this long was healthy: its delay starts over. */
const healthyMs = 30_000;

export class RestartBackoff {
  readonly #start: () => void;
  readonly #canStart: () => boolean;
  #delayMs = 0;
  #diedAt = -healthyMs;
  #timer: Timer | undefined;
  #restarts = 0;

  constructor(start: () => void, canStart: () => boolean = canStartThread) {
    this.#start = start;
    this.#canStart = canStart;
  }

  /** The thread is dead and not yet restarted. */
  get isPending(): boolean {
    return this.#timer !== undefined;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** The thread has died. */
  schedule(): void {
    const now = performance.now();
    if (now - this.#diedAt > healthyMs) this.#delayMs = 0;
    this.#diedAt = now;
    if (this.#delayMs === 0) this.#restart();
    else this.#timer = setTimeout(() => this.#restart(), this.#delayMs);
    this.#delayMs = Math.min(Math.max(minDelayMs, this.#delayMs * 2), maxDelayMs);
  }

  /** Leaves the thread dead. */
  cancel(): void {
    clearTimeout(this.#timer);
  }

  #restart(): void {
    if (!this.#canStart()) {
      this.#timer = setTimeout(() => this.#restart(), minDelayMs);
      return;
    }
    this.#timer = undefined;
    this.#restarts += 1;
    this.#start();
  }
}
