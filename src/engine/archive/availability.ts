/**
 * Whether the object store answers. While it does not, one request tries it again, later each time: a store that is
 * overloaded or down must not get a request for each object of the queue.
 */
import { errorRow } from "../../base/errors.ts";
import { maxArchivePauseMs, minArchiveRetryMs } from "../../base/limits/archive.ts";
import type { Log } from "../../base/log/log.ts";
import type { Readiness } from "../../base/readiness.ts";

const code = "ARCHIVE_UNAVAILABLE";

export interface Clock {
  /** Milliseconds of a monotonic clock. */
  now(): number;
  /** Between 0 and 1. */
  random(): number;
}

export const systemClock: Clock = { now: () => performance.now(), random: () => Math.random() };

export class ArchiveAvailability {
  readonly #readiness: Pick<Readiness, "note" | "clearNote">;
  readonly #log: Log;
  readonly #clock: Clock;
  /** In a row, over all requests. */
  #failures = 0;
  #pausedUntilMs = 0;

  constructor(readiness: Pick<Readiness, "note" | "clearNote">, log: Log, clock: Clock = systemClock) {
    this.#readiness = readiness;
    this.#log = log;
    this.#clock = clock;
  }

  get isAvailable(): boolean {
    return this.#failures === 0;
  }

  /** No request should be made now, apart from those that somebody waits for. */
  get isPaused(): boolean {
    return this.#clock.now() < this.#pausedUntilMs;
  }

  succeeded(): void {
    this.#pausedUntilMs = 0;
    if (this.#failures === 0) return;
    this.#failures = 0;
    this.#readiness.clearNote(code);
    this.#log.info("the archive can be reached again", {});
  }

  /** `retryAfterMs` is what the store asks for. */
  failed(detail: string | undefined, retryAfterMs = 0): void {
    this.#failures += 1;
    const pauseMs = Math.max(
      retryAfterMs,
      backoffMs(this.#failures, maxArchivePauseMs, this.#clock.random()),
    );
    this.#pausedUntilMs = this.#clock.now() + pauseMs;
    if (this.#failures > 1) return;
    const { reason, hint } = errorRow(code);
    this.#readiness.note(code, reason);
    this.#log.warn("the archive cannot be reached; uploads go on, and wait to be archived", {
      code,
      detail,
      hint,
    });
  }
}

/** Doubles with each failure up to `maxMs`. Jitter keeps several clients of a store from coming back together. */
export function backoffMs(failures: number, maxMs: number, random: number): number {
  const ms = Math.min(maxMs, minArchiveRetryMs * 2 ** Math.min(failures - 1, 30));
  return ms * (0.5 + random / 2);
}
