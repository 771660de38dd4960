import { OpusDecoder } from "opus-decoder";
import { WavecacheError } from "../../src/base/errors.ts";
import { maxSoundMs } from "../../src/base/limits/sounds.ts";
import { KiB } from "../../src/base/limits/units.ts";
import { OggOpusParser, type OpusHead } from "../../src/codec/ogg-opus.ts";
import { isPlainOpusPacket, opusSampleRate } from "../../src/codec/opus.ts";
import { mixPlanes, type MonoAudio } from "./mono-audio.ts";
import type { SoundSourceFile } from "./sound-source-file.ts";

/** Some seconds. */
const pieceBytes = 8 * KiB;

/** What a whole Ogg/Opus file holds. */
export interface OpusFile {
  head: OpusHead;
  /** Samples at 48 kHz to be heard. */
  samples: number;
  /** Every packet is what devices are sent, and there is no gain to apply: they need not be coded anew. */
  isPlain: boolean;
}

/** Looks at every packet of the file, without decoding any. Throws SOUND_UNREADABLE and SOUND_TOO_LONG. */
export function inspectOpus(file: SoundSourceFile): OpusFile {
  const parser = new OggOpusParser();
  let isPlain = true;
  let hasPackets = false;
  for (const packets of pieces(file, parser)) {
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

/** The packets of the file as they are, some at a time. */
export function* pieces(file: SoundSourceFile, parser = new OggOpusParser()): Generator<Uint8Array[]> {
  for (let at = 0; at < file.size;) {
    const bytes = file.read(at, pieceBytes);
    at += bytes.length;
    yield parser.push(bytes);
  }
}

/** Decodes a file that `inspectOpus` has looked at. */
export async function openOpus(file: SoundSourceFile, opus: OpusFile): Promise<MonoAudio> {
  const decoder = new OpusDecoder({ channels: opus.head.channels, preSkip: 0 });
  await decoder.ready;
  return new OpusAudio(file, opus, decoder);
}

class OpusAudio implements MonoAudio {
  readonly sampleRate = opusSampleRate;
  readonly #pieces: Generator<Uint8Array[]>;
  readonly #decoder: OpusDecoder;
  readonly #gain: number;
  /** Samples to leave out before anything is heard, and those that are to be heard still. */
  #skip: number;
  #left: number;

  constructor(file: SoundSourceFile, { head, samples }: OpusFile, decoder: OpusDecoder) {
    this.#pieces = pieces(file);
    this.#decoder = decoder;
    this.#gain = 10 ** (head.gain / 256 / 20);
    this.#skip = head.preSkip;
    this.#left = samples;
  }

  read(): Float32Array | undefined {
    while (this.#left > 0) {
      const { value: packets, done } = this.#pieces.next();
      if (done === true) return undefined;
      if (packets.length > 0) return this.#audible(this.#decode(packets));
    }
    return undefined;
  }

  free(): void {
    this.#decoder.free();
  }

  /** What is damaged is left out, as players do. */
  #decode(packets: Uint8Array[]): Float32Array {
    const samples = mixPlanes(this.#decoder.decodeFrames(packets).channelData);
    return this.#gain === 1 ? samples : samples.map((sample) => sample * this.#gain);
  }

  #audible(samples: Float32Array): Float32Array {
    const from = Math.min(this.#skip, samples.length);
    this.#skip -= from;
    const audible = samples.subarray(from, from + this.#left);
    this.#left -= audible.length;
    return audible;
  }
}
