/**
 * Coarse peaks of bounded length. Pixels of the finest peaks are merged into pixels of the overview, a fixed number into
 * each. When the overview is full, its pixels are merged in pairs, and that number doubles.
 */
import { basePixelSamples } from "../../base/limits/peaks.ts";

export class Overview {
  readonly #values: Int16Array<ArrayBuffer>;
  readonly #channels: number;
  readonly #firstFactor: number;
  /** Finest pixels in a pixel. */
  #factor: number;
  /** Whole pixels. */
  #pixels = 0;
  /** Finest pixels in the pixel after them. */
  #merged = 0;

  /** `maxPixels` is even. `factor` is how many of the finest pixels a pixel covers at first. */
  constructor(channels: number, maxPixels: number, factor: number) {
    this.#channels = channels;
    this.#firstFactor = factor;
    this.#factor = factor;
    this.#values = new Int16Array(maxPixels * 2 * channels);
  }

  get samplesPerPixel(): number {
    return this.#factor * basePixelSamples;
  }

  /** Starts anew. */
  clear(): void {
    this.#factor = this.#firstFactor;
    this.#pixels = 0;
    this.#merged = 0;
  }

  /** Adds one of the finest pixels: the minimum and the maximum of each channel, at `pixel[at]`. */
  add(pixel: Int16Array, at: number): void {
    const values = 2 * this.#channels;
    const to = this.#pixels * values;
    if (this.#merged === 0) copyPixel(pixel, at, this.#values, to, values);
    else mergePixel(pixel, at, this.#values, to, values);
    this.#merged += 1;
    if (this.#merged < this.#factor) return;
    this.#merged = 0;
    this.#pixels += 1;
    if (this.#pixels * values === this.#values.length) this.#halve();
  }

  /** A copy of the values so far, the pixel that is not full included. */
  values(): Int16Array<ArrayBuffer> {
    const pixels = this.#pixels + (this.#merged > 0 ? 1 : 0);
    return this.#values.slice(0, pixels * 2 * this.#channels);
  }

  #halve(): void {
    const values = 2 * this.#channels;
    this.#pixels /= 2;
    this.#factor *= 2;
    for (let pixel = 0; pixel < this.#pixels; pixel++) {
      copyPixel(this.#values, 2 * pixel * values, this.#values, pixel * values, values);
      mergePixel(this.#values, (2 * pixel + 1) * values, this.#values, pixel * values, values);
    }
  }
}

function copyPixel(source: Int16Array, at: number, target: Int16Array, to: number, values: number): void {
  for (let value = 0; value < values; value++) target[to + value] = source[at + value]!;
}

function mergePixel(source: Int16Array, at: number, target: Int16Array, to: number, values: number): void {
  for (let value = 0; value < values; value += 2) {
    target[to + value] = Math.min(target[to + value]!, source[at + value]!);
    target[to + value + 1] = Math.max(target[to + value + 1]!, source[at + value + 1]!);
  }
}
