/**
 * Audio that comes in a pipe, as PCM16: raw samples, or a WAV file of any encoding, which is known by its first bytes.
 * Only what has been asked for is read, so that the pipe is full while nobody asks.
 */
import { convertToPcm16 } from "../../codec/wav-samples.ts";
import { parseWavHead, type WavEncoding } from "../../codec/wav.ts";
import { ClientError } from "../errors.ts";
import { concatBytes } from "../concat-bytes.ts";

/** What is used of a stream's reader. */
interface Reader {
  read(): Promise<{ value?: Uint8Array | undefined }>;
  cancel(): Promise<void>;
}

interface LiveFormat {
  sampleRate: number;
  channels: number;
  encoding: WavEncoding;
  /** Bytes of one sample of every channel. */
  frameBytes: number;
  /** Bytes of audio that are still to come, or infinite. */
  dataBytes: number;
}

export class PipedAudio {
  readonly sampleRate: number;
  readonly channels: number;
  readonly #reader: Reader;
  readonly #format: LiveFormat;
  /** Read, but not given yet. */
  #pending: Uint8Array;
  #restBytes: number;

  private constructor(reader: Reader, format: LiveFormat, pending: Uint8Array) {
    this.#reader = reader;
    this.#format = format;
    this.#pending = pending;
    this.#restBytes = format.dataBytes;
    this.sampleRate = format.sampleRate;
    this.channels = format.channels;
  }

  /**
   * Waits for the first bytes of the input; `raw` says what samples are that do not begin as a WAV file does. The signal
   * ends the input, then and later. Throws BAD_AUDIO for a WAV file that cannot be read.
   */
  static async open(
    input: ReadableStream<Uint8Array>,
    raw: { sampleRate: number; channels: number },
    signal?: AbortSignal,
  ): Promise<PipedAudio> {
    const reader = input.getReader();
    // A cancelled reader gives its end, also to a read that waits.
    signal?.addEventListener("abort", () => void reader.cancel());
    let head: Uint8Array = new Uint8Array(0);
    for (let isOver = false; ;) {
      const parsed = parseWavHead(head, isOver ? head.length : undefined);
      if (parsed.kind === "more") {
        const { value } = await reader.read();
        isOver = value === undefined;
        if (value !== undefined) head = concatBytes(head, value);
      } else if (parsed.kind === "format") {
        const { dataAt, dataBytes = Infinity, ...format } = parsed.format;
        return new PipedAudio(reader, { ...format, dataBytes }, head.subarray(dataAt));
      } else if (!isWav(head)) {
        const format = {
          ...raw,
          encoding: "s16",
          frameBytes: 2 * raw.channels,
          dataBytes: Infinity,
        } as const;
        return new PipedAudio(reader, format, head);
      } else {
        throw new ClientError("BAD_AUDIO", parsed.reason);
      }
    }
  }

  /** The next samples, interleaved: whole ones of every channel, at least one; undefined at the end. */
  async read(): Promise<Int16Array | undefined> {
    const { frameBytes, encoding, channels } = this.#format;
    while (this.#wholeBytes() === 0) {
      if (this.#restBytes < frameBytes) return undefined;
      const { value } = await this.#reader.read();
      // Part of a sample at the end is no sample.
      if (value === undefined) return undefined;
      this.#pending = concatBytes(this.#pending, value);
    }
    const bytes = this.#wholeBytes();
    const samples = (bytes / frameBytes) * channels;
    const pcm = new Int16Array(samples);
    convertToPcm16(this.#pending, 0, samples, encoding, pcm, 0);
    this.#pending = this.#pending.slice(bytes);
    this.#restBytes -= bytes;
    return pcm;
  }

  /** Bytes at hand that make up whole samples of every channel. */
  #wholeBytes(): number {
    const bytes = Math.min(this.#pending.length, this.#restBytes);
    return bytes - (bytes % this.#format.frameBytes);
  }
}

function isWav(head: Uint8Array): boolean {
  return (
    head.length >= 12 && textOf(head.subarray(0, 4)) === "RIFF" && textOf(head.subarray(8, 12)) === "WAVE"
  );
}

function textOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
