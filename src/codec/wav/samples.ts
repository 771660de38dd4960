/**
 * Converts the samples of a WAV file to PCM16.
 *
 * Samples of more than 16 bits are rounded to the nearest, halves up, without dither; a float of 1.0 is 32768. The
 * result is clipped to -32768..32767, and NaN becomes 0. Samples of 8 bits (unsigned around 128) and of 16 bits are
 * converted exactly, A-law and mu-law by the tables of ITU-T G.711, scaled to 16 bits.
 */
import { decodeMsAdpcmBlock } from "./ms-adpcm.ts";
import { decodeWavAdpcmBlock } from "./adpcm.ts";
import {
  adpcmBlockSamples,
  type AdpcmEncoding,
  isAdpcm,
  type PcmEncoding,
  type WavCoding,
} from "./format.ts";
import type { WavFormat } from "./wav.ts";

/** Samples per channel in a whole frame of the file. */
export function wavFrameSamples({ encoding, frameBytes, channels }: WavCoding): number {
  return isAdpcm(encoding) ? adpcmBlockSamples[encoding](frameBytes, channels) : 1;
}

/**
 * Samples per channel in the first `bytes` bytes of the audio. The last ADPCM block may be cut short; if its end is only
 * padding, the file states so.
 */
export function wavSamples(format: WavFormat, bytes: number): number {
  const { encoding, frameBytes, channels, statedSamples } = format;
  const frames = Math.floor(bytes / frameBytes);
  if (!isAdpcm(encoding)) return frames;
  const frameSamples = wavFrameSamples(format);
  const samples = frames * frameSamples + adpcmBlockSamples[encoding](bytes % frameBytes, channels);
  const isStated =
    statedSamples !== undefined && statedSamples < samples && statedSamples > samples - frameSamples;
  return isStated ? statedSamples : samples;
}

/**
 * Decodes consecutive frames to PCM16, interleaved. Only the last ADPCM block may be shorter; a damaged one becomes
 * silence, because the blocks after it do not depend on it.
 */
export function decodeWavFrames(frames: Uint8Array, coding: WavCoding): Int16Array {
  const { encoding, frameBytes, channels } = coding;
  if (isAdpcm(encoding)) return decodeBlocks(frames, frameBytes, channels, encoding);
  const pcm = new Int16Array(Math.floor(frames.length / frameBytes) * channels);
  convertToPcm16(frames, 0, pcm.length, encoding, pcm, 0);
  return pcm;
}

const decodeBlock = { "ima-adpcm": decodeWavAdpcmBlock, "ms-adpcm": decodeMsAdpcmBlock };

function decodeBlocks(
  blocks: Uint8Array,
  blockBytes: number,
  channels: number,
  encoding: AdpcmEncoding,
): Int16Array {
  const samplesIn = adpcmBlockSamples[encoding];
  const whole = Math.floor(blocks.length / blockBytes);
  const samples = whole * samplesIn(blockBytes, channels) + samplesIn(blocks.length % blockBytes, channels);
  const pcm = new Int16Array(samples * channels);
  for (let block = 0, at = 0; at < pcm.length; block++) {
    const bytes = blocks.subarray(block * blockBytes, (block + 1) * blockBytes);
    const decoded = decodeBlock[encoding](bytes, channels);
    if (decoded !== undefined) pcm.set(decoded, at);
    at += samplesIn(bytes.length, channels) * channels;
  }
  return pcm;
}

/**
 * Converts `samples` samples at `source[at]`, interleaved and counted over all channels, to `out[outAt]`. Throws a
 * RangeError if either is too short.
 */
export function convertToPcm16(
  source: Uint8Array,
  at: number,
  samples: number,
  encoding: PcmEncoding,
  out: Int16Array,
  outAt: number,
): void {
  const bytes = pcmSampleBytes(encoding);
  if (at + samples * bytes > source.length) throw new RangeError("the source has fewer samples");
  if (outAt + samples > out.length) throw new RangeError("no room for the samples");
  const isBigEndian = encoding.endsWith("be");
  if (encoding === "u8") convertU8(source, at, samples, out, outAt);
  else if (encoding === "alaw") convertByTable(source, at, samples, aLaw, out, outAt);
  else if (encoding === "mulaw") convertByTable(source, at, samples, muLaw, out, outAt);
  else if (encoding === "s16") convertS16(source, at, samples, out, outAt);
  else if (encoding === "s16be") convertS16BigEndian(source, at, samples, out, outAt);
  else if (encoding.startsWith("f32")) convertF32(source, at, samples, !isBigEndian, out, outAt);
  else if (encoding.startsWith("f64")) convertF64(source, at, samples, !isBigEndian, out, outAt);
  else if (isBigEndian) convertWide(source, at + 2, samples, -1, bytes, out, outAt);
  else convertWide(source, at + bytes - 3, samples, 1, bytes, out, outAt);
}

/** Bytes of one sample of one channel. */
export function pcmSampleBytes(encoding: PcmEncoding): number {
  return encoding.endsWith("law") ? 1 : Number.parseInt(encoding.slice(1), 10) / 8;
}

function convertU8(source: Uint8Array, at: number, samples: number, out: Int16Array, outAt: number): void {
  for (let sample = 0; sample < samples; sample++) out[outAt + sample] = (source[at + sample]! - 128) << 8;
}

function convertS16(source: Uint8Array, at: number, samples: number, out: Int16Array, outAt: number): void {
  for (let sample = 0, from = at; sample < samples; sample++, from += 2) {
    out[outAt + sample] = source[from]! | (source[from + 1]! << 8);
  }
}

function convertS16BigEndian(
  source: Uint8Array,
  at: number,
  samples: number,
  out: Int16Array,
  outAt: number,
): void {
  for (let sample = 0, from = at; sample < samples; sample++, from += 2) {
    out[outAt + sample] = (source[from]! << 8) | source[from + 1]!;
  }
}

/**
 * Integers of 24 bits and more, of which the highest 17 bits decide. `at` is the lowest of the highest three bytes of the
 * first sample, `up` leads to the next higher byte, `stride` to the next sample.
 */
function convertWide(
  source: Uint8Array,
  at: number,
  samples: number,
  up: 1 | -1,
  stride: number,
  out: Int16Array,
  outAt: number,
): void {
  for (let sample = 0, from = at; sample < samples; sample++, from += stride) {
    const top17 = (source[from]! >> 7) | (source[from + up]! << 1) | ((source[from + 2 * up]! << 24) >> 15);
    out[outAt + sample] = Math.min(32767, (top17 + 1) >> 1);
  }
}

function convertF32(
  source: Uint8Array,
  at: number,
  samples: number,
  isLittle: boolean,
  out: Int16Array,
  outAt: number,
): void {
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  for (let sample = 0, from = at; sample < samples; sample++, from += 4) {
    out[outAt + sample] = pcm16Of(view.getFloat32(from, isLittle));
  }
}

function convertF64(
  source: Uint8Array,
  at: number,
  samples: number,
  isLittle: boolean,
  out: Int16Array,
  outAt: number,
): void {
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  for (let sample = 0, from = at; sample < samples; sample++, from += 8) {
    out[outAt + sample] = pcm16Of(view.getFloat64(from, isLittle));
  }
}

/** Storing NaN into an Int16Array makes it 0. */
function pcm16Of(value: number): number {
  return Math.max(-32768, Math.min(32767, Math.floor(value * 32768 + 0.5)));
}

function convertByTable(
  source: Uint8Array,
  at: number,
  samples: number,
  table: Int16Array,
  out: Int16Array,
  outAt: number,
): void {
  for (let sample = 0; sample < samples; sample++) out[outAt + sample] = table[source[at + sample]!]!;
}

/** G.711: a sign, 3 bits of exponent and 4 of mantissa. A-law sends every second bit inverted, mu-law every bit. */
const aLaw = Int16Array.from({ length: 256 }, (_, code) => {
  const value = code ^ 0x55;
  const exponent = (value >> 4) & 7;
  const mantissa = ((value & 15) << 4) + 8;
  const magnitude = exponent === 0 ? mantissa : (mantissa + 256) << (exponent - 1);
  return (value & 0x80) === 0 ? -magnitude : magnitude;
});

const muLaw = Int16Array.from({ length: 256 }, (_, code) => {
  const value = code ^ 0xff;
  const magnitude = ((((value & 15) << 3) + 0x84) << ((value >> 4) & 7)) - 0x84;
  return (value & 0x80) === 0 ? magnitude : -magnitude;
});
