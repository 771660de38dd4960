/**
 * Peaks of a range of time, put together from the peaks of the sounds in it. A pixel that lies across the border of two
 * points counts for both, so that no peak is ever missing. The channels of a sound are merged into one.
 */
import type { Peaks } from "./dat.ts";
import { pixelsOf } from "./dat.ts";

/** Borders closer than this part of a point are the same: what remains is the error of the arithmetic. */
const tolerance = 1e-6;

export class PeakPoints {
  /** The minimum and the maximum of each point; 0 without sound. */
  readonly values: Int16Array<ArrayBuffer>;
  readonly #isFilled: Uint8Array;
  readonly #pointSeconds: number;

  /** `pointSeconds` is the duration of a point. */
  constructor(points: number, pointSeconds: number) {
    this.values = new Int16Array(2 * points);
    this.#isFilled = new Uint8Array(points);
    this.#pointSeconds = pointSeconds;
  }

  /** Adds a sound that begins `seconds` after the first point, or before it if negative. */
  add(peaks: Peaks, seconds: number): void {
    const pointsPerPixel = peaks.samplesPerPixel / peaks.sampleRate / this.#pointSeconds;
    const start = seconds / this.#pointSeconds;
    const firstPixel = Math.max(0, Math.floor(-start / pointsPerPixel));
    const points = this.#isFilled.length;
    for (let pixel = firstPixel; pixel < pixelsOf(peaks); pixel++) {
      const from = start + pixel * pointsPerPixel;
      const first = Math.max(0, Math.floor(from + tolerance));
      const last = Math.min(points, Math.ceil(from + pointsPerPixel - tolerance));
      if (first >= points) return;
      for (let point = first; point < last; point++) this.#merge(peaks, pixel, point);
    }
  }

  /** Ranges of points without sound, as [first, one after the last]. */
  gaps(): [from: number, to: number][] {
    const gaps: [number, number][] = [];
    for (let from = this.#isFilled.indexOf(0); from >= 0; from = this.#isFilled.indexOf(0, from)) {
      const next = this.#isFilled.indexOf(1, from);
      const to = next < 0 ? this.#isFilled.length : next;
      gaps.push([from, to]);
      from = to;
    }
    return gaps;
  }

  #merge({ data, channels }: Peaks, pixel: number, point: number): void {
    const isFilled = this.#isFilled[point] === 1;
    let min = isFilled ? this.values[2 * point]! : 32_767;
    let max = isFilled ? this.values[2 * point + 1]! : -32_768;
    for (let at = 2 * channels * pixel; at < 2 * channels * (pixel + 1); at += 2) {
      min = Math.min(min, data[at]!);
      max = Math.max(max, data[at + 1]!);
    }
    this.values[2 * point] = min;
    this.values[2 * point + 1] = max;
    this.#isFilled[point] = 1;
  }
}
