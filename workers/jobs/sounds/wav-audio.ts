import { WavecacheError } from "../../../src/base/errors.ts";
import { maxSoundMs } from "../../../src/base/limits/sounds.ts";
import { KiB } from "../../../src/base/limits/units.ts";
import {
  decodeWavAdpcmBlock,
  parseWavAdpcmHead,
  type WavAdpcmFormat,
  wavAdpcmSamples,
} from "../../../src/codec/wav-adpcm.ts";
import { convertToPcm16 } from "../../../src/codec/wav-samples.ts";
import { parseWavHead, type RiffHead, type WavFormat } from "../../../src/codec/wav.ts";
import { mixInterleaved, type MonoAudio, piecesPerSecond } from "./mono-audio.ts";
import type { SoundSourceFile } from "./sound-source-file.ts";

const firstHeadBytes = 4 * KiB;

type AdpcmFormat = Extract<RiffHead<WavAdpcmFormat>, { kind: "format" }>["format"];

/** Decodes PCM, floats or IMA ADPCM. Throws SOUND_UNREADABLE or SOUND_TOO_LONG. */
export function openWav(file: SoundSourceFile): MonoAudio {
  const plain = headOf(file, parseWavHead);
  if (plain.kind === "format") return new PcmAudio(file, plain.format);
  const coded = headOf(file, parseWavAdpcmHead);
  if (coded.kind === "format") return new AdpcmAudio(file, coded.format);
  throw new WavecacheError("SOUND_UNREADABLE", plain.reason);
}

/** Reads as much of the file as its header needs. */
function headOf<Format>(
  file: SoundSourceFile,
  parse: (head: Uint8Array, fileBytes: number) => RiffHead<Format>,
): Exclude<RiffHead<Format>, { kind: "more" }> {
  for (let length = firstHeadBytes; ;) {
    const head = parse(file.read(0, length), file.size);
    if (head.kind !== "more") return head;
    length = head.bytes;
  }
}

function checkLength(samples: number, sampleRate: number): void {
  if (samples / sampleRate > maxSoundMs / 1000) throw new WavecacheError("SOUND_TOO_LONG");
}

class PcmAudio implements MonoAudio {
  readonly sampleRate: number;
  readonly #file: SoundSourceFile;
  readonly #format: WavFormat;
  readonly #end: number;
  #at: number;

  constructor(file: SoundSourceFile, format: WavFormat) {
    const { sampleRate, frameBytes, dataAt, dataBytes = file.size - dataAt } = format;
    this.sampleRate = sampleRate;
    this.#file = file;
    this.#format = format;
    this.#at = dataAt;
    this.#end = dataAt + dataBytes;
    checkLength(dataBytes / frameBytes, sampleRate);
  }

  read(): Float32Array | undefined {
    const { channels, encoding, frameBytes } = this.#format;
    const piece = Math.ceil(this.sampleRate / piecesPerSecond) * frameBytes;
    const bytes = this.#file.read(this.#at, Math.min(piece, this.#end - this.#at));
    if (bytes.length < frameBytes) return undefined;
    this.#at += bytes.length;
    const pcm = new Int16Array(Math.floor(bytes.length / frameBytes) * channels);
    convertToPcm16(bytes, 0, pcm.length, encoding, pcm, 0);
    return mixInterleaved(pcm, channels);
  }

  free(): void {}
}

class AdpcmAudio implements MonoAudio {
  readonly sampleRate: number;
  readonly #file: SoundSourceFile;
  readonly #channels: number;
  readonly #blockBytes: number;
  readonly #end: number;
  #at: number;

  constructor(file: SoundSourceFile, format: AdpcmFormat) {
    const { channels, blockBytes, dataAt, dataBytes = file.size - dataAt } = format;
    this.sampleRate = format.sampleRate;
    this.#file = file;
    this.#channels = channels;
    this.#blockBytes = blockBytes;
    this.#at = dataAt;
    this.#end = dataAt + dataBytes;
    checkLength((dataBytes / blockBytes) * wavAdpcmSamples(blockBytes, channels), format.sampleRate);
  }

  read(): Float32Array | undefined {
    const block = this.#file.read(this.#at, Math.min(this.#blockBytes, this.#end - this.#at));
    if (wavAdpcmSamples(block.length, this.#channels) === 0) return undefined;
    this.#at += block.length;
    const pcm = decodeWavAdpcmBlock(block, this.#channels);
    if (pcm === undefined) throw new WavecacheError("SOUND_UNREADABLE", "a damaged ADPCM block");
    return mixInterleaved(pcm, this.#channels);
  }

  free(): void {}
}
