/** Transcodes a sound file to Opus packets in batches: decode, mix to mono, resample to 48 kHz, encode. */
import { WavecacheError } from "../../../src/base/errors.ts";
import { maxSoundMs } from "../../../src/base/limits/sounds.ts";
import { opusFrameSamples, opusSampleRate } from "../../../src/codec/opus.ts";
import { probeAudio } from "../../../src/codec/probe.ts";
import { maxResampleRate, minResampleRate, Resampler } from "../../../src/codec/resample.ts";
import type { EncodingPace } from "./encoding-pace.ts";
import { FrameEncoder } from "./frame-encoder.ts";
import { type MonoAudio, type MonoPiece, piecesPerSecond } from "./mono-audio.ts";
import { openProbed } from "./open-audio.ts";
import { inspectOpus, openOpus, opusPackets } from "./opus-audio.ts";
import type { SoundSourceFile } from "./sound-source-file.ts";

const maxPackets = (maxSoundMs / 1000) * (opusSampleRate / opusFrameSamples);
/** The largest batch: some 5 ms of work. The first batches are smaller, to start the playback soon. */
const maxBatchPackets = 25;

/**
 * Packets of 20 ms at 48 kHz, mono. The packets of an Ogg/Opus file that has this format are passed through. Throws
 * SOUND_UNREADABLE, SOUND_TOO_LONG, SONG_CHANGED or CancelledError.
 */
export async function* packetsOf(
  file: SoundSourceFile,
  pace: EncodingPace,
): AsyncGenerator<Uint8Array[], void, void> {
  const probe = await probeAudio((from, bytes) => file.read(from, bytes));
  if (probe.format === "audio/ogg; codecs=opus") {
    const opus = await inspectOpus(file, pace);
    if (opus.plainPackets !== undefined) yield* opusPackets(file, opus.plainPackets, pace);
    else yield* encode(openOpus(file, opus, pace), pace);
  } else {
    yield* encode(await openProbed(file, probe, pace), pace);
  }
}

async function* encode(audio: MonoAudio, pace: EncodingPace): AsyncGenerator<Uint8Array[], void, void> {
  try {
    const encoder = new FrameEncoder();
    try {
      yield* encodeSamples(resample(audio, pace), encoder);
    } finally {
      encoder.free();
    }
  } finally {
    audio.free();
  }
}

async function* encodeSamples(
  samples: AsyncIterable<Float32Array>,
  encoder: FrameEncoder,
): AsyncGenerator<Uint8Array[], void, void> {
  let packets: Uint8Array[] = [];
  let encodedPackets = 0;
  for await (const piece of samples) {
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

/** The audio at 48 kHz. Where the sample rate of the source changes, another resampler takes over. */
async function* resample(audio: MonoAudio, pace: EncodingPace): AsyncGenerator<Float32Array, void, void> {
  let resampler: Resampler | undefined;
  let rate = opusSampleRate;
  for (let piece = await audio.read(); piece !== undefined; piece = await audio.read()) {
    if (piece.sampleRate !== rate) {
      if (resampler !== undefined) yield resampler.end();
      rate = piece.sampleRate;
      resampler = resamplerOf(rate);
    }
    for (const [at, part] of parts(piece).entries()) {
      if (at > 0) await pace.step();
      yield resampler?.push(part) ?? part;
    }
  }
  if (resampler !== undefined) yield resampler.end();
}

function resamplerOf(sampleRate: number): Resampler | undefined {
  if (sampleRate < minResampleRate || sampleRate > maxResampleRate) {
    throw new WavecacheError("SOUND_UNREADABLE", `a sample rate of ${sampleRate} Hz`);
  }
  return sampleRate === opusSampleRate ? undefined : new Resampler(sampleRate, opusSampleRate);
}

/** A block of ADPCM or MP3 may be long: encoding it in one step would hold up other sounds. */
function parts({ samples, sampleRate }: MonoPiece): Float32Array[] {
  const length = Math.ceil(sampleRate / piecesPerSecond);
  return Array.from({ length: Math.ceil(samples.length / length) }, (_, at) =>
    samples.subarray(at * length, (at + 1) * length),
  );
}
