import { OpusDecoder } from "opus-decoder";
import { WavecacheError } from "../../../src/base/errors.ts";
import { maxSoundMs } from "../../../src/base/limits/sounds.ts";
import { KiB } from "../../../src/base/limits/units.ts";
import { OggOpusParser, type OpusHead } from "../../../src/codec/ogg-opus.ts";
import { isPlainOpusPacket, opusSampleRate } from "../../../src/codec/opus.ts";
import { mixPlanes, type MonoAudio } from "./mono-audio.ts";
import type { SoundSourceFile } from "./sound-source-file.ts";

/** A few seconds of speech. */
const pieceBytes = 8 * KiB;

/** Facts about a whole Ogg/Opus file. */
export interface OpusFile {
  head: OpusHead;
  /** Audible samples, at 48 kHz. */
  samples: number;
  /** The packets have the format that devices receive, and there is no gain: they need no transcoding. */
  isPlain: boolean;
}

/** Parses every packet of the file, and decodes none. Throws SOUND_UNREADABLE or SOUND_TOO_LONG. */
export function inspectOpus(file: SoundSourceFile): OpusFile {
  const parser = new OggOpusParser();
  let isPlain = true;
  let hasPackets = false;
  for (const packets of opusPackets(file, parser)) {
    hasPackets ||= packets.length > 0;
    isPlain &&= packets.every(isPlainOpusPacket);
    if (parser.audibleSamples > (maxSoundMs / 1000) * opusSampleRate) {
      throw new WavecacheError("SOUND_TOO_LONG");
    }
  }
  const { head, audibleSamples: samples } = parser;
  if (head === undefined || !hasPackets) throw new WavecacheError("SOUND_UNREADABLE", "no Opus audio in it");
  return { head, samples, isPlain: isPlain && head.channels === 1 && head.gain === 0 };
}

/** The packets of the file, unchanged, in batches. */
export function* opusPackets(file: SoundSourceFile, parser = new OggOpusParser()): Generator<Uint8Array[]> {
  for (let at = 0; at < file.size;) {
    const bytes = file.read(at, pieceBytes);
    at += bytes.length;
    yield parser.push(bytes);
  }
}

/** Decodes the file; `opus` comes from `inspectOpus`. */
export async function openOpus(file: SoundSourceFile, opus: OpusFile): Promise<MonoAudio> {
  const decoder = new OpusDecoder({ channels: opus.head.channels, preSkip: 0 });
  await decoder.ready;
  return new OpusAudio(file, opus, decoder);
}

class OpusAudio implements MonoAudio {
  readonly sampleRate = opusSampleRate;
  readonly #packets: Generator<Uint8Array[]>;
  readonly #decoder: OpusDecoder;
  readonly #gain: number;
  /** Samples still to drop, and samples still to return after that. */
  #toSkip: number;
  #toRead: number;

  constructor(file: SoundSourceFile, { head, samples }: OpusFile, decoder: OpusDecoder) {
    this.#packets = opusPackets(file);
    this.#decoder = decoder;
    this.#gain = 10 ** (head.gain / 256 / 20);
    this.#toSkip = head.preSkip;
    this.#toRead = samples;
  }

  read(): Float32Array | undefined {
    while (this.#toRead > 0) {
      const { value: packets, done } = this.#packets.next();
      if (done === true) return undefined;
      if (packets.length > 0) return this.#audible(this.#decode(packets));
    }
    return undefined;
  }

  free(): void {
    this.#decoder.free();
  }

  /** Skips damaged packets, as players do. */
  #decode(packets: Uint8Array[]): Float32Array {
    const samples = mixPlanes(this.#decoder.decodeFrames(packets).channelData);
    return this.#gain === 1 ? samples : samples.map((sample) => sample * this.#gain);
  }

  #audible(samples: Float32Array): Float32Array {
    const from = Math.min(this.#toSkip, samples.length);
    this.#toSkip -= from;
    const audible = samples.subarray(from, from + this.#toRead);
    this.#toRead -= audible.length;
    return audible;
  }
}
