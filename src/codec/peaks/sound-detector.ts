/**
 * Tells sound from silence, by the level of each block:
 *
 *     unknown --+--> sound <--> silence
 *               '-----------------^
 *
 * One block that reaches the threshold is sound. Silence is a time without such a block; it begins with that time.
 */
import { clippingEventMs, minClippedSamples } from "../../base/limits/peaks.ts";
import { type Level, meanSquareOf } from "./level.ts";

export interface SoundThreshold {
  /** An RMS at or above this is sound. */
  dbfs: number;
  /** Silence is at least this long. */
  silenceMs: number;
}

export interface SoundChange {
  kind: "sound" | "silence" | "clipping";
  /** In ms since 1970. */
  at: number;
}

export class SoundDetector {
  readonly #minMeanSquare: number;
  readonly #silenceMs: number;
  readonly #onChange: (change: SoundChange) => void;
  #state: "unknown" | "sound" | "silence" = "unknown";
  /** When the blocks below the threshold began; undefined while the last one was not. */
  #quietFrom: number | undefined;
  #clippedAt = -Infinity;
  /** When the last block ended; undefined before the first. */
  end: number | undefined;

  constructor({ dbfs, silenceMs }: SoundThreshold, onChange: (change: SoundChange) => void) {
    this.#minMeanSquare = meanSquareOf(dbfs);
    this.#silenceMs = silenceMs;
    this.#onChange = onChange;
  }

  /** Takes the level of a block that begins at `at`, in ms since 1970, and lasts `ms`. */
  push(level: Level, at: number, ms: number): void {
    this.end = at + ms;
    if (level.meanSquare >= this.#minMeanSquare) this.#hear(at);
    else this.#hearNothing(at, at + ms);
    if (level.clipped < minClippedSamples || at - this.#clippedAt < clippingEventMs) return;
    this.#clippedAt = at;
    this.#onChange({ kind: "clipping", at });
  }

  #hear(at: number): void {
    this.#quietFrom = undefined;
    if (this.#state === "sound") return;
    this.#state = "sound";
    this.#onChange({ kind: "sound", at });
  }

  #hearNothing(at: number, end: number): void {
    this.#quietFrom ??= at;
    // A block of 100 ms may be a fraction of a millisecond off.
    if (this.#state === "silence" || Math.round(end - this.#quietFrom) < this.#silenceMs) return;
    this.#state = "silence";
    this.#onChange({ kind: "silence", at: this.#quietFrom });
  }
}
