import { WavecacheError } from "../../../src/base/errors.ts";
import { maxSoundGapBytes } from "../../../src/base/limits/sounds.ts";

/** The sound was cancelled while it was read. */
export class CancelledError extends Error {}

/**
 * Divides the work for one sound into steps. Between two of them the thread serves its other sounds and its messages, so a
 * step does a few milliseconds of work at most.
 */
export class EncodingPace {
  readonly #isCancelled: () => boolean;
  readonly #onStep: () => void;
  #gapBytes = 0;

  /** `onStep` is called after each step. */
  constructor(isCancelled: () => boolean, onStep: () => void) {
    this.#isCancelled = isCancelled;
    this.#onStep = onStep;
  }

  /** Ends a step. Throws CancelledError. */
  async step(): Promise<void> {
    this.#onStep();
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (this.#isCancelled()) throw new CancelledError("cancelled");
  }

  /** Ends a step that read this many bytes. Throws SOUND_UNREADABLE if the last steps found no audio in too many bytes. */
  async stepOver(bytes: number, hasAudio: boolean): Promise<void> {
    this.#gapBytes = hasAudio ? 0 : this.#gapBytes + bytes;
    if (this.#gapBytes > maxSoundGapBytes) {
      throw new WavecacheError("SOUND_UNREADABLE", `no audio in ${maxSoundGapBytes >> 20} MiB of it`);
    }
    await this.step();
  }
}
