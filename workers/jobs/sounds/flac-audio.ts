import { WavecacheError } from "../../../src/base/errors.ts";
import { maxFlacSamples } from "../../../src/base/limits/sounds.ts";
import { KiB, MiB } from "../../../src/base/limits/units.ts";
import {
  findFlacSync,
  type FlacHeader,
  type FlacStream,
  maxFlacHeaderBytes,
  parseFlacHeader,
  readFlacStream,
} from "../../../src/codec/flac/flac.ts";
import { FlacDecoder } from "../../../src/codec/flac/frame.ts";
import { maxResampleRate, minResampleRate } from "../../../src/codec/resample.ts";
import type { EncodingPace } from "./encoding-pace.ts";
import type { MonoAudio, MonoPiece } from "./mono-audio.ts";
import type { SoundSourceFile } from "./sound-source-file.ts";

/** A few frames of a song; a frame that is longer is read again, in twice as many bytes. */
const windowBytes = 64 * KiB;
/** More than 65,536 samples of 8 channels and 33 bits. */
const maxFrameBytes = 4 * MiB;

/** Decodes the FLAC file whose "fLaC" is at `at`, and skips what is damaged. Throws SOUND_UNREADABLE or CancelledError. */
export async function openFlac(file: SoundSourceFile, at: number, pace: EncodingPace): Promise<MonoAudio> {
  const stream = await readFlacStream((from, bytes) => file.read(from, bytes), at);
  if (stream === undefined) throw new WavecacheError("SOUND_UNREADABLE", "FLAC with damaged metadata");
  return new FlacAudio(file, stream, pace);
}

class FlacAudio implements MonoAudio {
  readonly #file: SoundSourceFile;
  readonly #stream: FlacStream;
  readonly #pace: EncodingPace;
  readonly #decoder = new FlacDecoder();
  /** A part of the file, and where it begins. */
  #window: Uint8Array = new Uint8Array(0);
  #windowAt: number;
  /** The position in the window. */
  #at = 0;
  /** Samples of all channels that were decoded, or would have been if they were not damaged. */
  #samples = 0;
  #hasAudio = false;

  constructor(file: SoundSourceFile, stream: FlacStream, pace: EncodingPace) {
    this.#file = file;
    this.#stream = stream;
    this.#pace = pace;
    this.#windowAt = stream.audioAt;
  }

  async read(): Promise<MonoPiece | undefined> {
    while (this.#at < this.#window.length || this.#fill(windowBytes)) {
      const from = this.#windowAt + this.#at;
      const piece = this.#next();
      this.#hasAudio ||= piece !== undefined;
      await this.#pace.stepOver(this.#windowAt + this.#at - from, piece !== undefined);
      if (piece !== undefined) return piece;
    }
    if (!this.#hasAudio) throw new WavecacheError("SOUND_UNREADABLE", "no FLAC audio in it");
    return undefined;
  }

  free(): void {}

  /** The next frame. Undefined if it is damaged, or if the window has none; the position is behind what was looked at. */
  #next(): MonoPiece | undefined {
    if (this.#mayHoldCutHeader) this.#fill(windowBytes);
    let header = parseFlacHeader(this.#window, this.#at, this.#stream);
    while (header === undefined) {
      this.#at = findFlacSync(this.#window, this.#at + 1);
      if (this.#at === this.#window.length || this.#mayHoldCutHeader) return undefined;
      header = parseFlacHeader(this.#window, this.#at, this.#stream);
    }
    const piece = this.#decode(header);
    if (piece === undefined) this.#at += 1;
    return piece;
  }

  /** Whether a header at the position may end behind the window. */
  get #mayHoldCutHeader(): boolean {
    const isLast = this.#windowAt + this.#window.length === this.#file.size;
    return !isLast && this.#window.length - this.#at < maxFlacHeaderBytes;
  }

  /** Undefined if the frame is damaged. */
  #decode(header: FlacHeader): MonoPiece | undefined {
    const { samples, channels, sampleRate, bits } = header;
    if (sampleRate < minResampleRate || sampleRate > maxResampleRate) return undefined;
    for (;;) {
      this.#samples += samples * channels;
      if (this.#samples > maxFlacSamples) throw new WavecacheError("SOUND_TOO_LONG");
      const frame = this.#decoder.decode(this.#window, this.#at, header);
      if (frame === "damaged") return undefined;
      if (frame === "cut") {
        if (this.#fill(2 * (this.#window.length - this.#at))) continue;
        return undefined;
      }
      this.#at += frame.bytes;
      return { samples: mix(frame.planes, 2 ** (bits - 1)), sampleRate };
    }
  }

  /** Reads the file from the position on; false if that gives no more than there was. */
  #fill(bytes: number): boolean {
    const before = this.#window.length - this.#at;
    this.#windowAt += this.#at;
    this.#at = 0;
    this.#window = this.#file.read(this.#windowAt, Math.min(Math.max(bytes, windowBytes), maxFrameBytes));
    return this.#window.length > before;
  }
}

/** The mean of the channels. What a damaged encoder lets overflow is cut to full scale. */
function mix(planes: readonly Float64Array[], fullScale: number): Float32Array {
  const scale = 1 / (fullScale * planes.length);
  const out = new Float32Array(planes[0]?.length ?? 0);
  for (let at = 0; at < out.length; at++) {
    let sum = 0;
    for (const plane of planes) sum += plane[at]!;
    out[at] = Math.max(-1, Math.min(1, sum * scale)) || 0;
  }
  return out;
}
