/**
 * Measures PCM16 as it arrives: the finest peaks, and the level of each 100 ms.
 *
 *     samples  |----|----|----|----|----|----|----|--     pixels of 256 samples
 *              |---------------|---------------|----     blocks of 100 ms
 *
 * A run of samples ends at either border. Nothing is allocated for a sample, a pixel or a block.
 */
import { basePixelSamples } from "../../base/limits/peaks.ts";
import type { Level } from "./level.ts";
import { levelBlockFrames } from "./levels.ts";

export interface PeakSink {
  /** A pixel is complete: the minimum and the maximum of each channel, valid until this returns. */
  pixel(values: Int16Array): void;
  /** A block is complete: `frames` sample frames, fewer at the end of a part. The object is valid until this returns. */
  block(level: Level, frames: number): void;
}

const highest = 32_767;
const lowest = -32_768;

export class PeakMeter {
  readonly #channels: number;
  readonly #blockFrames: number;
  readonly #sink: PeakSink;
  readonly #pixel: Int16Array;
  readonly #run: Run = { min: 0, max: 0, squares: 0 };
  readonly #block: Sum = { peak: 0, squares: 0, clipped: 0, samples: 0 };
  /** The blocks before the current one. */
  readonly #part: Sum = { peak: 0, squares: 0, clipped: 0, samples: 0 };
  readonly #level: Level = { peak: 0, meanSquare: 0, clipped: 0 };
  /** Sample frames in the current pixel, and in the current block. */
  #pixelFrames = 0;
  #blockFill = 0;

  /** `sampleRate` in Hz. */
  constructor(channels: number, sampleRate: number, sink: PeakSink) {
    this.#channels = channels;
    this.#blockFrames = levelBlockFrames(sampleRate);
    this.#sink = sink;
    this.#pixel = new Int16Array(2 * channels);
    this.#startPixel();
  }

  /** Measures `frames` sample frames, interleaved, from `samples[at]` on. */
  push(samples: Int16Array, at: number, frames: number): void {
    for (let done = 0; done < frames;) {
      const toBorder = Math.min(basePixelSamples - this.#pixelFrames, this.#blockFrames - this.#blockFill);
      const run = Math.min(toBorder, frames - done);
      const from = at + done * this.#channels;
      const to = from + run * this.#channels;
      for (let channel = 0; channel < this.#channels; channel++) this.#measure(samples, from, to, channel);
      done += run;
      this.#pixelFrames += run;
      this.#blockFill += run;
      if (this.#pixelFrames === basePixelSamples) this.#endPixel();
      if (this.#blockFill === this.#blockFrames) this.#endBlock();
    }
  }

  /** Completes the current pixel and block. Returns the level since the last call. */
  endPart(): Level {
    if (this.#pixelFrames > 0) this.#endPixel();
    if (this.#blockFill > 0) this.#endBlock();
    const level = { peak: 0, meanSquare: 0, clipped: 0 };
    toLevel(this.#part, level);
    clear(this.#part);
    return level;
  }

  #measure(samples: Int16Array, from: number, to: number, channel: number): void {
    const { min, max, squares } = scan(samples, from + channel, to, this.#channels, this.#run);
    const pixel = this.#pixel;
    const block = this.#block;
    const at = 2 * channel;
    if (min < pixel[at]!) pixel[at] = min;
    if (max > pixel[at + 1]!) pixel[at + 1] = max;
    if (-min > block.peak) block.peak = -min;
    if (max > block.peak) block.peak = max;
    block.squares += squares;
    if (min === lowest || max === highest)
      block.clipped += countClipped(samples, from + channel, to, this.#channels);
  }

  #endPixel(): void {
    this.#sink.pixel(this.#pixel);
    this.#startPixel();
  }

  #startPixel(): void {
    for (let at = 0; at < this.#pixel.length; at += 2) {
      this.#pixel[at] = highest;
      this.#pixel[at + 1] = lowest;
    }
    this.#pixelFrames = 0;
  }

  #endBlock(): void {
    const frames = this.#blockFill;
    this.#block.samples = frames * this.#channels;
    addTo(this.#part, this.#block);
    toLevel(this.#block, this.#level);
    clear(this.#block);
    this.#blockFill = 0;
    this.#sink.block(this.#level, frames);
  }
}

/** What the level of some audio is computed from. */
interface Sum {
  peak: number;
  squares: number;
  clipped: number;
  samples: number;
}

function addTo(total: Sum, part: Sum): void {
  total.peak = Math.max(total.peak, part.peak);
  total.squares += part.squares;
  total.clipped += part.clipped;
  total.samples += part.samples;
}

function toLevel(sum: Sum, level: Level): void {
  level.peak = sum.peak;
  level.meanSquare = sum.samples === 0 ? 0 : sum.squares / sum.samples;
  level.clipped = sum.clipped;
}

function clear(sum: Sum): void {
  sum.peak = 0;
  sum.squares = 0;
  sum.clipped = 0;
  sum.samples = 0;
}

interface Run {
  min: number;
  max: number;
  squares: number;
}

/**
 * Measures one channel: the samples from `from` to `to`, `stride` apart. A square of 16 bits fits 32. Runs in 0.9 ns a
 * sample here.
 */
function scan(samples: Int16Array, from: number, to: number, stride: number, run: Run): Run {
  let min = highest;
  let max = lowest;
  let squares = 0;
  for (let at = from; at < to; at += stride) {
    const sample = samples[at]!;
    min = Math.min(min, sample);
    max = Math.max(max, sample);
    squares += sample * sample;
  }
  run.min = min;
  run.max = max;
  run.squares = squares;
  return run;
}

function countClipped(samples: Int16Array, from: number, to: number, stride: number): number {
  let clipped = 0;
  for (let at = from; at < to; at += stride) {
    const sample = samples[at]!;
    if (sample === lowest || sample === highest) clipped += 1;
  }
  return clipped;
}
