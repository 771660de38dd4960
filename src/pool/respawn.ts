/**
 * Starts a thread again after it died: at once the first time, later each time it dies young, so that a thread that
 * cannot live does not take the processor with it.
 */
import { replacementEnvironment } from "../base/failpoint.ts";

const shortestDelayMs = 50;
const longestDelayMs = 5_000;
/** A thread that has lived this long is taken for healthy. */
const healthyMs = 30_000;

export class Respawn {
  readonly #spawn: () => void;
  #delayMs = 0;
  #diedAt = -healthyMs;
  #timer: Timer | undefined;
  #restarts = 0;

  constructor(spawn: () => void) {
    this.#spawn = spawn;
  }

  /** The thread is dead and not yet started again. */
  get pending(): boolean {
    return this.#timer !== undefined;
  }

  /** How often the thread was started again. */
  get restarts(): number {
    return this.#restarts;
  }

  /** The thread has died. */
  schedule(): void {
    const now = performance.now();
    if (now - this.#diedAt > healthyMs) this.#delayMs = 0;
    this.#diedAt = now;
    if (this.#delayMs === 0) this.#start();
    else this.#timer = setTimeout(() => this.#start(), this.#delayMs);
    this.#delayMs = Math.min(Math.max(shortestDelayMs, this.#delayMs * 2), longestDelayMs);
  }

  /** Leaves the thread dead. */
  async cancel(): Promise<void> {
    clearTimeout(this.#timer);
  }

  #start(): void {
    this.#timer = undefined;
    this.#restarts += 1;
    this.#spawn();
  }
}

export function startWorker(entry: URL, name: string, replacement: boolean): Worker {
  return new Worker(entry, replacement ? { name, env: definedOnly(replacementEnvironment()) } : { name });
}

function definedOnly(environment: Record<string, string | undefined>): Record<string, string> {
  const entries = Object.entries(environment).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return Object.fromEntries(entries);
}
