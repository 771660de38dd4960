/** A sound's file becomes Opus packets: decoded, mixed to mono, brought to 48 kHz, encoded; some packets at a time. */
import { WavecacheError } from "../../src/base/errors.ts";
import { maxSoundMs } from "../../src/base/limits/sounds.ts";
import { OpusEncoder } from "../../src/codec/opus-encoder.ts";
import { opusFrameSamples, opusSampleRate } from "../../src/codec/opus.ts";
import { maxResampleRate, minResampleRate, Resampler } from "../../src/codec/resample.ts";
import { sniffAudioFormat, sniffBytes } from "../../src/codec/sniff.ts";
import type { MonoAudio } from "./mono-audio.ts";
import { openMp3 } from "./mp3-audio.ts";
import { inspectOpus, openOpus, pieces } from "./opus-audio.ts";
import type { SoundSourceFile } from "./sound-source-file.ts";
import { openWav } from "./wav-audio.ts";

const maxPackets = (maxSoundMs / 1000) * (opusSampleRate / opusFrameSamples);
/** Packets that are given at once, except at the beginning, where they are wanted soon: some 5 ms of work. */
const packetsAtOnce = 25;

/**
 * Packets of 20 ms at 48 kHz mono. An Ogg/Opus file that holds nothing else is passed through: its pre-skip and what is
 * left out at its end are then heard, some milliseconds of silence mostly. Throws SOUND_UNREADABLE, SOUND_TOO_LONG,
 * SONG_CHANGED.
 */
export async function* packetsOf(file: SoundSourceFile): AsyncGenerator<Uint8Array[], void, void> {
  const format = sniffAudioFormat(file.read(0, sniffBytes));
  if (format === "audio/ogg; codecs=opus") {
    const opus = inspectOpus(file);
    if (opus.isPlain) yield* pieces(file);
    else yield* encoded(await openOpus(file, opus));
  } else if (format === "audio/wav") {
    yield* encoded(openWav(file));
  } else if (format === "audio/mpeg") {
    yield* encoded(await openMp3(file));
  } else {
    const what = file.size === 0 ? "an empty file" : (format ?? "no audio format that is known");
    throw new WavecacheError("SOUND_UNREADABLE", `${what}; WAV, MP3 and Opus in Ogg can be played`);
  }
}

function* encoded(audio: MonoAudio): Generator<Uint8Array[], void, void> {
  try {
    const framer = new Framer();
    try {
      yield* framed(resampled(audio), framer);
    } finally {
      framer.free();
    }
  } finally {
    audio.free();
  }
}

function* framed(samples: Iterable<Float32Array>, framer: Framer): Generator<Uint8Array[], void, void> {
  let packets: Uint8Array[] = [];
  let made = 0;
  for (const piece of samples) {
    framer.push(piece, packets);
    if (packets.length < Math.min(packetsAtOnce, made + 1)) continue;
    made += packets.length;
    yield packets;
    if (made > maxPackets) throw new WavecacheError("SOUND_TOO_LONG");
    packets = [];
  }
  framer.end(packets);
  if (packets.length > 0) yield packets;
}

function* resampled(audio: MonoAudio): Generator<Float32Array, void, void> {
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

/** Cuts samples into frames and encodes each; an encoder of its own for each sound, so that it always comes out the same. */
class Framer {
  readonly #encoder = new OpusEncoder();
  readonly #frame = new Int16Array(opusFrameSamples);
  #filled = 0;

  /** Appends the packets that are complete. */
  push(samples: Float32Array, packets: Uint8Array[]): void {
    for (const sample of samples) {
      this.#frame[this.#filled++] = Math.max(-32768, Math.min(32767, Math.round(sample * 32768)));
      if (this.#filled === opusFrameSamples) packets.push(this.#encode());
    }
  }

  /** The last frame is filled up with silence. */
  end(packets: Uint8Array[]): void {
    if (this.#filled === 0) return;
    this.#frame.fill(0, this.#filled);
    packets.push(this.#encode());
  }

  free(): void {
    this.#encoder.free();
  }

  #encode(): Uint8Array {
    this.#filled = 0;
    return this.#encoder.encode(this.#frame);
  }
}
