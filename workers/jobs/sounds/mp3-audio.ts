import { MPEGDecoder } from "mpg123-decoder";
import { WavecacheError } from "../../../src/base/errors.ts";
import { KiB } from "../../../src/base/limits/units.ts";
import { mixPlanes, type MonoAudio } from "./mono-audio.ts";
import type { SoundSourceFile } from "./sound-source-file.ts";

/** About a second of MP3 at 128 kbit/s. */
const pieceBytes = 16 * KiB;

/** Decodes MP3 with mpg123 and skips damaged parts, as players do. Throws SOUND_UNREADABLE if nothing can be decoded. */
export async function openMp3(file: SoundSourceFile): Promise<MonoAudio> {
  const decoder = new MPEGDecoder();
  await decoder.ready;
  try {
    return new Mp3Audio(file, decoder);
  } catch (error) {
    decoder.free();
    throw error;
  }
}

class Mp3Audio implements MonoAudio {
  readonly sampleRate: number;
  readonly #file: SoundSourceFile;
  readonly #decoder: MPEGDecoder;
  #at = 0;
  /** Decoded by the constructor, which needs them for the sample rate. */
  #first: Float32Array | undefined;

  constructor(file: SoundSourceFile, decoder: MPEGDecoder) {
    this.#file = file;
    this.#decoder = decoder;
    const first = this.#decode();
    if (first === undefined) throw new WavecacheError("SOUND_UNREADABLE", "no MP3 audio in it");
    this.sampleRate = first.sampleRate;
    this.#first = first.samples;
  }

  read(): Float32Array | undefined {
    const first = this.#first;
    this.#first = undefined;
    if (first !== undefined) return first;
    const next = this.#decode();
    if (next !== undefined && next.sampleRate !== this.sampleRate) {
      throw new WavecacheError("SOUND_UNREADABLE", "its sample rate changes, or it is damaged");
    }
    return next?.samples;
  }

  free(): void {
    this.#decoder.free();
  }

  #decode(): { samples: Float32Array; sampleRate: number } | undefined {
    while (this.#at < this.#file.size) {
      const bytes = this.#file.read(this.#at, pieceBytes);
      this.#at += bytes.length;
      const { channelData, samplesDecoded, sampleRate } = this.#decoder.decode(bytes);
      if (samplesDecoded > 0) return { samples: mixPlanes(channelData), sampleRate };
    }
    return undefined;
  }
}
