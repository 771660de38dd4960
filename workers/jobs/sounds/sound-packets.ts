/** Transcodes a sound file to Opus packets in batches: decode, mix to mono, resample to 48 kHz, encode. */
import { WavecacheError } from "../../../src/base/errors.ts";
import { maxSoundMs } from "../../../src/base/limits/sounds.ts";
import { opusFrameSamples, opusSampleRate } from "../../../src/codec/opus.ts";
import { maxResampleRate, minResampleRate, Resampler } from "../../../src/codec/resample.ts";
import { sniffAudioFormat, sniffBytes } from "../../../src/codec/sniff.ts";
import { FrameEncoder } from "./frame-encoder.ts";
import type { MonoAudio } from "./mono-audio.ts";
import { openMp3 } from "./mp3-audio.ts";
import { inspectOpus, openOpus, opusPackets } from "./opus-audio.ts";
import type { SoundSourceFile } from "./sound-source-file.ts";
import { openWav } from "./wav-audio.ts";

const maxPackets = (maxSoundMs / 1000) * (opusSampleRate / opusFrameSamples);
/** The largest batch: some 5 ms of work. The first batches are smaller, to start the playback soon. */
const maxBatchPackets = 25;

/**
 * Packets of 20 ms at 48 kHz, mono. The packets of an Ogg/Opus file that has this format are passed through. Its pre-skip
 * and end trimming are then ignored, which adds some milliseconds of silence. Throws SOUND_UNREADABLE, SOUND_TOO_LONG or
 * SONG_CHANGED.
 */
export async function* packetsOf(file: SoundSourceFile): AsyncGenerator<Uint8Array[], void, void> {
  const format = sniffAudioFormat(file.read(0, sniffBytes));
  if (format === "audio/ogg; codecs=opus") {
    const opus = inspectOpus(file);
    if (opus.isPlain) yield* opusPackets(file);
    else yield* encode(await openOpus(file, opus));
  } else if (format === "audio/wav") {
    yield* encode(openWav(file));
  } else if (format === "audio/mpeg") {
    yield* encode(await openMp3(file));
  } else {
    const what = file.size === 0 ? "an empty file" : (format ?? "an unknown audio format");
    throw new WavecacheError("SOUND_UNREADABLE", `${what}; WAV, MP3 and Opus in Ogg can be played`);
  }
}

function* encode(audio: MonoAudio): Generator<Uint8Array[], void, void> {
  try {
    const encoder = new FrameEncoder();
    try {
      yield* encodeSamples(resample(audio), encoder);
    } finally {
      encoder.free();
    }
  } finally {
    audio.free();
  }
}

function* encodeSamples(
  samples: Iterable<Float32Array>,
  encoder: FrameEncoder,
): Generator<Uint8Array[], void, void> {
  let packets: Uint8Array[] = [];
  let encodedPackets = 0;
  for (const piece of samples) {
    encoder.push(piece, packets);
    if (packets.length < Math.min(maxBatchPackets, encodedPackets + 1)) continue;
    encodedPackets += packets.length;
    yield packets;
    if (encodedPackets > maxPackets) throw new WavecacheError("SOUND_TOO_LONG");
    packets = [];
  }
  encoder.end(packets);
  if (packets.length > 0) yield packets;
}

function* resample(audio: MonoAudio): Generator<Float32Array, void, void> {
  const { sampleRate } = audio;
  if (sampleRate < minResampleRate || sampleRate > maxResampleRate) {
    throw new WavecacheError("SOUND_UNREADABLE", `a sample rate of ${sampleRate} Hz`);
  }
  const resampler = sampleRate === opusSampleRate ? undefined : new Resampler(sampleRate, opusSampleRate);
  for (let samples = audio.read(); samples !== undefined; samples = audio.read()) {
    yield resampler?.push(samples) ?? samples;
  }
  if (resampler !== undefined) yield resampler.end();
}
