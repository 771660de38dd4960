/** How loud a device was, by time: minimum and maximum of each of many equal parts of a window. */
import type { RangePeaks } from "../../api/recordings.ts";

export interface Levels {
  /** Of the first part. */
  fromMs: number;
  /** Of each part. */
  partMs: number;
  /** From -1 to 1. Where there is no audio both are 0. */
  min: Float32Array;
  max: Float32Array;
}

const fullScale = 32_768;

export function levelsOfPeaks(peaks: RangePeaks): Levels {
  const { data, channels, sample_rate: rate, samples_per_pixel: samples, from } = peaks;
  const length = Math.floor(data.length / (2 * channels));
  const levels = emptyLevels(length, Date.parse(from), (1000 * samples) / rate);
  for (let part = 0; part < length; part++) {
    levels.min[part] = data[2 * channels * part]! / fullScale;
    levels.max[part] = data[2 * channels * part + 1]! / fullScale;
  }
  return levels;
}

/** Of the samples themselves, where peaks would be coarser than the screen. Undefined for a WAV without samples. */
export function levelsOfWav(wav: ArrayBuffer, fromMs: number, maxParts: number): Levels | undefined {
  const view = new DataView(wav);
  const found = chunkOf(view, "data");
  const format = chunkOf(view, "fmt ");
  if (found === undefined || format === undefined) return undefined;
  const [channels, rate] = [view.getUint16(format + 2, true), view.getUint32(format + 4, true)];
  const samples = Math.floor((wav.byteLength - found) / (2 * channels));
  if (samples === 0) return undefined;
  const perPart = Math.max(1, Math.floor(samples / maxParts));
  const levels = emptyLevels(Math.ceil(samples / perPart), fromMs, (1000 * perPart) / rate);
  for (let at = 0; at < samples * channels; at++) {
    const value = view.getInt16(found + 2 * at, true) / fullScale;
    const part = Math.floor(at / channels / perPart);
    if (value < levels.min[part]!) levels.min[part] = value;
    if (value > levels.max[part]!) levels.max[part] = value;
  }
  return levels;
}

/** The lowest and the highest level between two times; undefined outside of what is known. */
export function levelBetween(levels: Levels, fromMs: number, toMs: number): [number, number] | undefined {
  const { min, max, partMs } = levels;
  const first = Math.floor((fromMs - levels.fromMs) / partMs);
  const last = Math.max(first, Math.ceil((toMs - levels.fromMs) / partMs) - 1);
  if (last < 0 || first >= min.length) return undefined;
  let [low, high] = [1, -1];
  for (let part = Math.max(0, first); part <= Math.min(last, min.length - 1); part++) {
    low = Math.min(low, min[part]!);
    high = Math.max(high, max[part]!);
  }
  return [low, high];
}

function emptyLevels(length: number, fromMs: number, partMs: number): Levels {
  return { fromMs, partMs, min: new Float32Array(length), max: new Float32Array(length) };
}

/** Where the contents of a chunk begin (RIFF: a name of four letters, and the size). */
function chunkOf(view: DataView, name: string): number | undefined {
  for (let at = 12; at + 8 <= view.byteLength;) {
    const id = String.fromCharCode(...[0, 1, 2, 3].map((index) => view.getUint8(at + index)));
    if (id === name) return at + 8;
    const size = view.getUint32(at + 4, true);
    at += 8 + size + (size % 2);
  }
  return undefined;
}
