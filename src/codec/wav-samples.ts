/**
 * Converts the samples of a WAV file to PCM16.
 *
 * Samples of more than 16 bits are rounded to the nearest, halves up, without dither; a float of 1.0 is 32768. The
 * result is clipped to -32768..32767, and NaN becomes 0. Samples of 8 bits (unsigned around 128) and of 16 bits are
 * converted exactly.
 */
import type { WavEncoding } from "./wav.ts";

const sampleBytes: Record<WavEncoding, number> = { u8: 1, s16: 2, s24: 3, s32: 4, f32: 4, f64: 8 };

/**
 * Converts `samples` samples at `source[at]`, interleaved and counted over all channels, to `out[outAt]`. Throws a
 * RangeError if either is too short.
 */
export function convertToPcm16(
  source: Uint8Array,
  at: number,
  samples: number,
  encoding: WavEncoding,
  out: Int16Array,
  outAt: number,
): void {
  if (at + samples * sampleBytes[encoding] > source.length)
    throw new RangeError("the source has fewer samples");
  if (outAt + samples > out.length) throw new RangeError("no room for the samples");
  switch (encoding) {
    case "u8":
      return convertU8(source, at, samples, out, outAt);
    case "s16":
      return convertS16(source, at, samples, out, outAt);
    case "s24":
      return convertS24(source, at, samples, out, outAt);
    case "s32":
      return convertS32(source, at, samples, out, outAt);
    case "f32":
      return convertF32(source, at, samples, out, outAt);
    default:
      return convertF64(source, at, samples, out, outAt);
  }
}

function convertU8(source: Uint8Array, at: number, samples: number, out: Int16Array, outAt: number): void {
  for (let sample = 0; sample < samples; sample++) out[outAt + sample] = (source[at + sample]! - 128) << 8;
}

function convertS16(source: Uint8Array, at: number, samples: number, out: Int16Array, outAt: number): void {
  for (let sample = 0, from = at; sample < samples; sample++, from += 2) {
    out[outAt + sample] = source[from]! | (source[from + 1]! << 8);
  }
}

function convertS24(source: Uint8Array, at: number, samples: number, out: Int16Array, outAt: number): void {
  for (let sample = 0, from = at; sample < samples; sample++, from += 3) {
    const top17 = (source[from]! >> 7) | (source[from + 1]! << 1) | ((source[from + 2]! << 24) >> 15);
    out[outAt + sample] = Math.min(32767, (top17 + 1) >> 1);
  }
}

function convertS32(source: Uint8Array, at: number, samples: number, out: Int16Array, outAt: number): void {
  for (let sample = 0, from = at; sample < samples; sample++, from += 4) {
    const top17 = (source[from + 1]! >> 7) | (source[from + 2]! << 1) | ((source[from + 3]! << 24) >> 15);
    out[outAt + sample] = Math.min(32767, (top17 + 1) >> 1);
  }
}

function convertF32(source: Uint8Array, at: number, samples: number, out: Int16Array, outAt: number): void {
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  for (let sample = 0, from = at; sample < samples; sample++, from += 4) {
    out[outAt + sample] = pcm16Of(view.getFloat32(from, true));
  }
}

function convertF64(source: Uint8Array, at: number, samples: number, out: Int16Array, outAt: number): void {
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  for (let sample = 0, from = at; sample < samples; sample++, from += 8) {
    out[outAt + sample] = pcm16Of(view.getFloat64(from, true));
  }
}

/** Storing NaN into an Int16Array makes it 0. */
function pcm16Of(value: number): number {
  return Math.max(-32768, Math.min(32767, Math.floor(value * 32768 + 0.5)));
}
