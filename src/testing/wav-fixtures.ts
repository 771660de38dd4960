/** WAV files and PCM16 signals for tests. */
import { AdpcmEncoder } from "../codec/ima-adpcm.ts";
import { encodeWavHeader } from "../codec/wav.ts";
import { Random } from "./harness/bytes.ts";

/** A sweep with overtones, different in each channel: `samples` samples a channel, interleaved. */
export function melody(samples: number, channels: number): Int16Array {
  const pcm = new Int16Array(samples * channels);
  for (let sample = 0; sample < samples; sample++) {
    for (let channel = 0; channel < channels; channel++) {
      const phase = sample * (0.02 + 0.007 * channel) + (sample * sample) / 9e6;
      pcm[sample * channels + channel] = 9000 * Math.sin(phase) + 3000 * Math.sin(phase * 2.7);
    }
  }
  return pcm;
}

/** Samples that jump as far as they like, the same in every run. */
export function roughness(count: number): Int16Array {
  const random = new Random(count + 1);
  return Int16Array.from({ length: count }, () => random.int(-32768, 32767));
}

/** Interleaved samples as the bytes of a PCM16 stream. */
export function pcmBytes(pcm: Int16Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(pcm.length * 2);
  const view = new DataView(bytes.buffer);
  pcm.forEach((sample, at) => view.setInt16(at * 2, sample, true));
  return bytes;
}

export function wavFile(pcm: Int16Array, channels: number, sampleRate = 16_000): Uint8Array<ArrayBuffer> {
  const audio = pcmBytes(pcm);
  const head = encodeWavHeader(sampleRate, channels, audio.length);
  const file = new Uint8Array(head.length + audio.length);
  file.set(head);
  file.set(audio, head.length);
  return file;
}

/** The samples of a PCM16 stream's bytes. */
export function samplesOf(bytes: Uint8Array): Int16Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Int16Array.from({ length: bytes.length >> 1 }, (_, at) => view.getInt16(at * 2, true));
}

/** How far `heard` is above its difference from `source`, in decibels; infinite where they are the same. */
export function signalToNoise(source: Int16Array, heard: Int16Array): number {
  let signal = 0;
  let noise = 0;
  source.forEach((sample, at) => {
    signal += sample ** 2;
    noise += (sample - (heard[at] ?? 0)) ** 2;
  });
  return 10 * Math.log10(signal / noise);
}

const adpcmBlockBytes = 256;

/** A mono or stereo WAV of IMA ADPCM in blocks of 256 bytes a channel, the last one filled up with silence. */
export function wavAdpcmFile(pcm: Int16Array, channels: number, sampleRate: number): Uint8Array<ArrayBuffer> {
  const blockBytes = adpcmBlockBytes * channels;
  const blockSamples = 1 + (adpcmBlockBytes - 4) * 2;
  const blocks = Math.ceil(pcm.length / channels / blockSamples);
  const out = new Uint8Array(60 + blocks * blockBytes);
  const view = new DataView(out.buffer);
  out.set(new TextEncoder().encode("RIFF....WAVEfmt "));
  view.setUint32(4, out.length - 8, true);
  view.setUint32(16, 20, true);
  const fields = [
    0x11,
    channels,
    sampleRate & 0xffff,
    sampleRate >> 16,
    0,
    0,
    blockBytes,
    4,
    2,
    blockSamples,
  ];
  fields.forEach((field, at) => view.setUint16(20 + at * 2, field, true));
  out.set(new TextEncoder().encode("data"), 40 + 12);
  out.set(new TextEncoder().encode("fact"), 40);
  view.setUint32(44, 4, true);
  view.setUint32(48, pcm.length / channels, true);
  view.setUint32(56, blocks * blockBytes, true);
  const encoder = new AdpcmEncoder(channels);
  const samples = new Int16Array(blockSamples * channels);
  for (let block = 0; block < blocks; block++) {
    samples.fill(0);
    samples.set(pcm.subarray(block * samples.length, (block + 1) * samples.length));
    // The first sample of a block is its predictor: the coder is set to it, and codes those after it.
    for (let channel = 0; channel < channels; channel++) encoder.state[2 * channel] = samples[channel]!;
    encoder.encode(samples, channels, blockSamples - 1, out, 60 + block * blockBytes);
  }
  return out;
}
