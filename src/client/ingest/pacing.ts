/** The schedule by which the frames of live audio are sent. */

/** A source of time that tests replace, so that they need not wait. */
export interface Clock {
  /** Monotonic milliseconds. */
  now(): number;
  /** Resolves after `ms` or later, never earlier. */
  wait(ms: number): Promise<void>;
}

/**
 * An absolute schedule: frame n is due n frame durations after `startMs`, however late earlier frames were. So delays and
 * rounding do not accumulate.
 */
export class FrameSchedule {
  readonly startMs: number;
  readonly #frameMs: number;

  constructor(startMs: number, frameSamples: number, sampleRate: number) {
    this.startMs = startMs;
    this.#frameMs = (frameSamples * 1000) / sampleRate;
  }

  dueMs(frame: number): number {
    return this.startMs + frame * this.#frameMs;
  }

  /** How late the unsent frame number `frame` is; 0 if it is not due yet. */
  lagMs(frame: number, nowMs: number): number {
    return Math.max(0, nowMs - this.dueMs(frame));
  }
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};
