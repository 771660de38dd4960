import { MPEGDecoder } from "mpg123-decoder";
import { WavecacheError } from "../../../src/base/errors.ts";
import { KiB } from "../../../src/base/limits/units.ts";
import {
  isFreeFormat,
  isSameMpegFormat,
  type MpegFrame,
  MpegFrames,
  type MpegTag,
} from "../../../src/codec/mpeg.ts";
import type { EncodingPace } from "./encoding-pace.ts";
import { mixPlanes, type MonoAudio, type MonoPiece } from "./mono-audio.ts";
import type { SoundSourceFile } from "./sound-source-file.ts";

/** Half a second of MP3 at 128 kbit/s; more where no audio is found. */
const pieceBytes = 8 * KiB;
const gapPieceBytes = 64 * KiB;
/** Bytes at the beginning in which frames of free format are searched for. */
const freeFormatBytes = 64 * KiB;
/** Samples by which the output of every decoder lags behind its input. */
const decoderDelay = 529;

/** Decodes the MPEG audio between two offsets of a file, and skips what is damaged. Throws SOUND_UNREADABLE. */
export async function openMp3(
  file: SoundSourceFile,
  from: number,
  to: number,
  pace: EncodingPace,
): Promise<MonoAudio> {
  const decoder = new MPEGDecoder({ enableGapless: false });
  await decoder.ready;
  return new Mp3Audio(file, from, to, decoder, pace);
}

/**
 * mpg123 gets whole frames, never damage: it takes garbage for audio, and hides a change of the sample rate within a piece.
 * It starts anew where another file was appended.
 */
class Mp3Audio implements MonoAudio {
  readonly #file: SoundSourceFile;
  readonly #from: number;
  readonly #to: number;
  readonly #pace: EncodingPace;
  readonly #decoder: MPEGDecoder;
  readonly #parser = new MpegFrames();
  #at: number;
  #pieceBytes = pieceBytes;
  #isParsed = false;
  /** Frames that are not decoded yet. */
  #frames: MpegFrame[] = [];
  #last: MpegFrame | undefined;
  #trim: GaplessTrim = new GaplessTrim(undefined);
  #hasAudio = false;

  constructor(file: SoundSourceFile, from: number, to: number, decoder: MPEGDecoder, pace: EncodingPace) {
    this.#file = file;
    this.#from = from;
    this.#to = to;
    this.#at = from;
    this.#decoder = decoder;
    this.#pace = pace;
  }

  async read(): Promise<MonoPiece | undefined> {
    while (await this.#parse()) {
      const run = this.#takeRun();
      if (run.length === 0) continue;
      const { channelData } = this.#decoder.decode(joined(run));
      const samples = this.#trim.cut(mixPlanes(channelData));
      if (samples.length > 0) return { samples, sampleRate: run[0]!.header.sampleRate };
    }
    if (!this.#hasAudio) throw new WavecacheError("SOUND_UNREADABLE", this.#whatInstead());
    return undefined;
  }

  free(): void {
    this.#decoder.free();
  }

  /** Reads until there are frames; false at the end of the audio. */
  async #parse(): Promise<boolean> {
    while (this.#frames.length === 0) {
      if (this.#isParsed) return false;
      const bytes = this.#file.read(this.#at, Math.min(this.#pieceBytes, this.#to - this.#at));
      this.#at += bytes.length;
      this.#isParsed = bytes.length === 0;
      this.#frames = this.#isParsed ? this.#parser.end() : this.#parser.push(bytes);
      this.#pieceBytes = this.#frames.length > 0 ? pieceBytes : gapPieceBytes;
      await this.#pace.stepOver(bytes.length, this.#frames.length > 0);
    }
    if (this.#beginsAnew(this.#frames[0]!)) await this.#restart(this.#frames[0]!);
    return true;
  }

  /** Takes the frames that the decoder can decode in one go, without those that hold no audio. */
  #takeRun(): MpegFrame[] {
    const end = this.#frames.findIndex(
      (frame, at) => at > 0 && this.#beginsAnew(frame, this.#frames[at - 1]),
    );
    const run = this.#frames.splice(0, end < 0 ? this.#frames.length : end);
    this.#last = run.at(-1);
    this.#hasAudio = true;
    return run.filter(({ tag }) => tag === undefined);
  }

  #beginsAnew(frame: MpegFrame, last = this.#last): boolean {
    return frame.tag !== undefined || last === undefined || !isSameMpegFormat(frame.header, last.header);
  }

  /** Only the tag of the first frame counts, as in other players: one that follows may be of a file that was cut. */
  async #restart(first: MpegFrame): Promise<void> {
    if (this.#last !== undefined) await this.#decoder.reset();
    this.#trim = new GaplessTrim(this.#last === undefined ? first.tag : undefined);
  }

  #whatInstead(): string {
    const isFree = isFreeFormat(this.#file.read(this.#from, freeFormatBytes));
    return isFree ? "MP3 of free format, which cannot be played" : "no MP3 audio in it";
  }
}

/** Cuts off what the encoder and the decoder put before the audio, and what fills the last frame. */
class GaplessTrim {
  #toSkip: number;
  readonly #toHold: number;
  /** The last samples so far: they are padding unless more follow. */
  #held = new Float32Array(0);

  constructor(tag: MpegTag | undefined) {
    const isKnown = tag !== undefined && tag.delay + tag.padding > 0;
    this.#toSkip = isKnown ? tag.delay + decoderDelay : 0;
    this.#toHold = isKnown ? Math.max(0, tag.padding - decoderDelay) : 0;
  }

  cut(samples: Float32Array): Float32Array {
    const skipped = Math.min(this.#toSkip, samples.length);
    this.#toSkip -= skipped;
    const rest = samples.subarray(skipped);
    if (this.#toHold === 0) return rest;
    const all = new Float32Array(this.#held.length + rest.length);
    all.set(this.#held);
    all.set(rest, this.#held.length);
    const ready = Math.max(0, all.length - this.#toHold);
    this.#held = all.slice(ready);
    return all.subarray(0, ready);
  }
}

function joined(frames: readonly MpegFrame[]): Uint8Array {
  const bytes = new Uint8Array(frames.reduce((sum, frame) => sum + frame.bytes.length, 0));
  let at = 0;
  for (const frame of frames) {
    bytes.set(frame.bytes, at);
    at += frame.bytes.length;
  }
  return bytes;
}
