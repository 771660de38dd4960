/** When the frames of live audio are due. */

/** Where time comes from, so that tests need not wait for it. */
export interface Clock {
  /** Milliseconds since any moment; never goes back. */
  now(): number;
  /** Resolves after `ms` or a little later, never before. */
  wait(ms: number): Promise<void>;
}

/**
 * An absolute schedule: frame n is due at `startMs` + n frames, however late those before it were. Late frames are due at
 * once, and rounding does not add up.
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

  /** How late frame number `frame` is if it has not been sent by now; 0 where it is not due yet. */
  lagMs(frame: number, nowMs: number): number {
    return Math.max(0, nowMs - this.dueMs(frame));
  }
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};
