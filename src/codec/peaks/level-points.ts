/**
 * Levels of a range of time, put together from the levels of the sounds in it. The RMS of a point is that of all audio in it.
 * A block that lies across the border of two points counts for both: in their peaks as a whole, in their RMS by its share.
 */
import { dbfsOfCode, isClippingCode, levelBlockFrames, type Levels } from "./levels.ts";

/** Borders closer than this part of a point are the same: what remains is the error of the arithmetic. */
const tolerance = 1e-6;

/** A piece of audio of one level. */
interface Piece {
  /** In points, from the first one on. */
  from: number;
  to: number;
  /** In dBFS. */
  peak: number;
  rms: number;
  isClipping: boolean;
}

export class LevelPoints {
  readonly #seconds: number;
  readonly #pointSeconds: number;
  /** In dBFS; NaN without audio. */
  readonly #peaks: Float64Array;
  /** The power of full scale is 1. */
  readonly #energy: Float64Array;
  /** Audio in a point, as a share of it. */
  readonly #share: Float64Array;
  readonly #clips: Uint8Array;

  /** Of a range of this duration, the last point of which may be longer than what is left of it. */
  constructor(seconds: number, pointSeconds: number) {
    const points = Math.ceil(seconds / pointSeconds - tolerance);
    this.#seconds = seconds;
    this.#pointSeconds = pointSeconds;
    this.#peaks = new Float64Array(points).fill(Number.NaN);
    this.#energy = new Float64Array(points);
    this.#share = new Float64Array(points);
    this.#clips = new Uint8Array(points);
  }

  /** Adds a sound of this duration that begins `seconds` after the first point, or before it if negative. */
  add({ sampleRate, codes }: Levels, seconds: number, duration: number): void {
    const blockSeconds = levelBlockFrames(sampleRate) / sampleRate;
    const blocks = codes.length / 2;
    const first = Math.max(0, Math.floor(-seconds / blockSeconds));
    for (let block = first; block < blocks && seconds + block * blockSeconds < this.#seconds; block++) {
      const from = block * blockSeconds;
      const [rms, peak] = [codes[2 * block]!, codes[2 * block + 1]!];
      const level = { rms: dbfsOfCode(rms), peak: dbfsOfCode(peak), isClipping: isClippingCode(peak) };
      this.#add(seconds + from, Math.min(duration, from + blockSeconds) - from, level);
    }
  }

  /** Adds a sound of which only the level of the whole is known. */
  addWhole(level: Pick<Piece, "peak" | "rms" | "isClipping">, seconds: number, duration: number): void {
    this.#add(seconds, duration, level);
  }

  /** In dBFS, to a tenth; null without audio. */
  peaks(): (number | null)[] {
    return Array.from(this.#peaks, (peak) => (Number.isNaN(peak) ? null : rounded(peak)));
  }

  /** As `peaks`. */
  rms(): (number | null)[] {
    return Array.from(this.#energy, (energy, point) =>
      Number.isNaN(this.#peaks[point]!) ? null : rounded(10 * Math.log10(energy / this.#share[point]!)),
    );
  }

  /** Ranges of points with clipping, as [first, one after the last]. */
  clipping(): [from: number, to: number][] {
    const ranges: [number, number][] = [];
    for (let from = this.#clips.indexOf(1); from >= 0;) {
      const next = this.#clips.indexOf(0, from);
      const to = next < 0 ? this.#clips.length : next;
      ranges.push([from, to]);
      from = this.#clips.indexOf(1, to);
    }
    return ranges;
  }

  #add(seconds: number, duration: number, level: Omit<Piece, "from" | "to">): void {
    const from = seconds / this.#pointSeconds;
    const piece = { from, to: Math.min(seconds + duration, this.#seconds) / this.#pointSeconds, ...level };
    if (piece.to - from < tolerance) return;
    const last = Math.min(this.#peaks.length, Math.ceil(piece.to - tolerance));
    for (let point = Math.max(0, Math.floor(from + tolerance)); point < last; point++)
      this.#merge(piece, point);
  }

  #merge({ from, to, peak, rms, isClipping }: Piece, point: number): void {
    const share = Math.max(0, Math.min(to, point + 1) - Math.max(from, point));
    const before = this.#peaks[point]!;
    this.#peaks[point] = Number.isNaN(before) ? peak : Math.max(before, peak);
    this.#energy[point] = this.#energy[point]! + share * 10 ** (rms / 10);
    this.#share[point] = this.#share[point]! + share;
    if (isClipping) this.#clips[point] = 1;
  }
}

function rounded(dbfs: number): number {
  return Math.round(dbfs * 10) / 10;
}
