import { WavecacheError } from "../../../src/base/errors.ts";
import { maxSoundMs } from "../../../src/base/limits/sounds.ts";
import { KiB } from "../../../src/base/limits/units.ts";
import { decodeWavFrames, wavFrameSamples, wavSamples } from "../../../src/codec/wav/samples.ts";
import { type WavFormat, WavHeadParser } from "../../../src/codec/wav/wav.ts";
import type { EncodingPace } from "./encoding-pace.ts";
import { openMp3 } from "./mp3-audio.ts";
import { mixInterleaved, type MonoAudio, type MonoPiece, piecesPerSecond } from "./mono-audio.ts";
import type { SoundSourceFile } from "./sound-source-file.ts";

/** The first read of a head, and how far reads grow where chunks are small. */
const minHeadBytes = 4 * KiB;
const maxHeadBytes = 64 * KiB;

/** Decodes the audio of a WAV file. Throws SOUND_UNREADABLE or SOUND_TOO_LONG. */
export async function openWav(
  file: SoundSourceFile,
  pace: EncodingPace,
  maxMs: number = maxSoundMs,
): Promise<MonoAudio> {
  const parser = new WavHeadParser(file.size);
  for (let at = 0, bytes = minHeadBytes; ; bytes = Math.min(2 * bytes, maxHeadBytes)) {
    const head = parser.parse(file.read(at, bytes), at);
    if (head.kind === "refused") throw new WavecacheError("SOUND_UNREADABLE", head.reason);
    if (head.kind === "format") return new WavAudio(file, head.format, pace, maxMs);
    if (head.kind === "mpeg") {
      const { dataAt, dataBytes = file.size - dataAt } = head;
      return await openMp3(file, dataAt, dataAt + dataBytes, pace);
    }
    at = head.at;
    await pace.step();
  }
}

class WavAudio implements MonoAudio {
  readonly #file: SoundSourceFile;
  readonly #pace: EncodingPace;
  readonly #format: WavFormat;
  readonly #pieceBytes: number;
  readonly #end: number;
  #at: number;
  /** Samples per channel still to return. */
  #samples: number;

  constructor(file: SoundSourceFile, format: WavFormat, pace: EncodingPace, maxMs: number) {
    const { sampleRate, frameBytes, dataAt, dataBytes = file.size - dataAt } = format;
    this.#file = file;
    this.#pace = pace;
    this.#format = format;
    this.#at = dataAt;
    this.#end = dataAt + dataBytes;
    this.#samples = wavSamples(format, dataBytes);
    if (this.#samples / sampleRate > maxMs / 1000) throw new WavecacheError("SOUND_TOO_LONG");
    this.#pieceBytes = Math.ceil(sampleRate / piecesPerSecond / wavFrameSamples(format)) * frameBytes;
  }

  async read(): Promise<MonoPiece | undefined> {
    if (this.#samples === 0) return undefined;
    await this.#pace.step();
    const { channels, sampleRate } = this.#format;
    const bytes = this.#file.read(this.#at, Math.min(this.#pieceBytes, this.#end - this.#at));
    this.#at += bytes.length;
    const samples = mixInterleaved(decodeWavFrames(bytes, this.#format), channels);
    const wanted = samples.subarray(0, this.#samples);
    this.#samples -= wanted.length;
    return { samples: wanted, sampleRate };
  }

  free(): void {}
}
