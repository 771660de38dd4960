/** Sounds for devices in tests: a signal of time, files of it in any format, and what comes back out of packets. */
import { OpusDecoder } from "opus-decoder";
import { OpusEncoder } from "../codec/opus-encoder.ts";
import { opusFrameSamples } from "../codec/opus.ts";
import type { WavEncoding } from "../codec/wav.ts";

export const signalSeconds = 0.7;

/** The signal at a time in seconds: two tones that rise, within what 8 kHz can hold, and a steady one. Below 0.9. */
export function signalAt(seconds: number): number {
  const rising = Math.sin(2 * Math.PI * (300 + 700 * seconds) * seconds);
  const overtone = Math.sin(2 * Math.PI * (700 + 900 * seconds) * seconds);
  return 0.4 * rising + 0.2 * overtone + 0.2 * Math.sin(2 * Math.PI * 510 * seconds);
}

/** The signal at a rate, as samples of 1.0 full scale. */
export function signal(sampleRate: number, seconds = signalSeconds): Float32Array {
  return Float32Array.from({ length: Math.round(sampleRate * seconds) }, (_, at) =>
    signalAt(at / sampleRate),
  );
}

export function pcm16(samples: Float32Array): Int16Array {
  return Int16Array.from(samples, (sample) => Math.round(sample * 32_767));
}

/** Interleaved: the first channel has all of it, the others less and less, so that their mean is another level. */
export function inChannels(samples: Int16Array, channels: number): Int16Array {
  return Int16Array.from({ length: samples.length * channels }, (_, at) => {
    const level = 1 - (at % channels) / (2 * channels);
    return Math.round(samples[Math.floor(at / channels)]! * level);
  });
}

const sampleWriters: Record<WavEncoding, (view: DataView, at: number, sample: number) => number> = {
  u8: (view, at, sample) => (view.setUint8(at, 128 + Math.round(sample * 127)), 1),
  s16: (view, at, sample) => (view.setInt16(at, Math.round(sample * 32_767), true), 2),
  s24: (view, at, sample) => {
    const whole = Math.round(sample * 8_388_607);
    view.setUint8(at, whole & 0xff);
    view.setInt16(at + 1, whole >> 8, true);
    return 3;
  },
  s32: (view, at, sample) => (view.setInt32(at, Math.round(sample * 2_147_483_647), true), 4),
  f32: (view, at, sample) => (view.setFloat32(at, sample, true), 4),
  f64: (view, at, sample) => (view.setFloat64(at, sample, true), 8),
};

/** A WAV file of these samples of one channel, the same in all of `channels`. */
export function soundWav(
  samples: Float32Array,
  sampleRate: number,
  channels = 1,
  encoding: WavEncoding = "s16",
): Uint8Array<ArrayBuffer> {
  const scratch = new DataView(new ArrayBuffer(8));
  const bytes = sampleWriters[encoding](scratch, 0, 0);
  const out = new Uint8Array(44 + samples.length * channels * bytes);
  const view = new DataView(out.buffer);
  out.set(new TextEncoder().encode("RIFF....WAVEfmt "));
  view.setUint32(4, out.length - 8, true);
  view.setUint32(16, 16, true);
  view.setUint16(20, encoding.startsWith("f") ? 3 : 1, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * channels * bytes, true);
  view.setUint16(32, channels * bytes, true);
  view.setUint16(34, bytes * 8, true);
  out.set(new TextEncoder().encode("data"), 36);
  view.setUint32(40, out.length - 44, true);
  let at = 44;
  for (const sample of samples) {
    for (let channel = 0; channel < channels; channel++) at += sampleWriters[encoding](view, at, sample);
  }
  return out;
}

/** 48 kHz mono samples as packets; what is no whole frame at the end is left out. */
export function opusPackets(samples: Int16Array): Uint8Array[] {
  const encoder = new OpusEncoder();
  const frames = Math.floor(samples.length / opusFrameSamples);
  const packets = Array.from({ length: frames }, (_, at) =>
    encoder.encode(samples.subarray(at * opusFrameSamples, (at + 1) * opusFrameSamples)),
  );
  encoder.free();
  return packets;
}

/** What a device hears. */
export async function heard(packets: readonly Uint8Array[]): Promise<Float32Array> {
  const decoder = new OpusDecoder({ channels: 1 });
  await decoder.ready;
  const { channelData, errors } = decoder.decodeFrames([...packets]);
  decoder.free();
  if (errors.length > 0) throw new Error(errors[0]!.message);
  return channelData[0]!;
}

/** How like the source what was heard is, at best 1, after it was moved by up to `maxDelay` samples. */
export function correlation(source: Float32Array, sound: Float32Array, maxDelay = 800): number {
  let best = -1;
  for (let delay = 0; delay <= maxDelay; delay++) best = Math.max(best, correlationAt(source, sound, delay));
  return best;
}

function correlationAt(source: Float32Array, sound: Float32Array, delay: number): number {
  const length = Math.min(source.length, sound.length - delay);
  let product = 0;
  let sourcePower = 0;
  let soundPower = 0;
  for (let at = 0; at < length; at++) {
    product += source[at]! * sound[at + delay]!;
    sourcePower += source[at]! ** 2;
    soundPower += sound[at + delay]! ** 2;
  }
  return product / Math.sqrt(sourcePower * soundPower);
}

/** Root of the mean power. */
export function level(samples: Float32Array): number {
  return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
}
