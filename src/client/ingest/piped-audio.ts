/**
 * Audio from a pipe, as PCM16: raw samples, or a WAV file, recognised by its first bytes. It reads from the pipe only when
 * samples are requested: a slow consumer applies backpressure.
 */
import { convertToPcm16 } from "../../codec/wav-samples.ts";
import { parseWavHead, type WavEncoding } from "../../codec/wav.ts";
import { ClientError } from "../errors.ts";
import { concatBytes } from "../concat-bytes.ts";

/** The part of a stream's reader that is used. */
interface Reader {
  read(): Promise<{ value?: Uint8Array | undefined }>;
  cancel(): Promise<void>;
}

interface PipeFormat {
  sampleRate: number;
  channels: number;
  encoding: WavEncoding;
  /** Bytes of one sample of all channels. */
  frameBytes: number;
  /** Bytes of audio; Infinity if unknown. */
  dataBytes: number;
}

export class PipedAudio {
  readonly sampleRate: number;
  readonly channels: number;
  readonly #reader: Reader;
  readonly #format: PipeFormat;
  /** Bytes read from the pipe and not returned yet. */
  #pending: Uint8Array;
  #remainingBytes: number;

  private constructor(reader: Reader, format: PipeFormat, pending: Uint8Array) {
    this.#reader = reader;
    this.#format = format;
    this.#pending = pending;
    this.#remainingBytes = format.dataBytes;
    this.sampleRate = format.sampleRate;
    this.channels = format.channels;
  }

  /**
   * Waits for the first bytes of the input. `raw` is the format of PCM16 samples without a WAV header. The signal ends the
   * input, now or later. Throws BAD_AUDIO for a WAV file that is not supported.
   */
  static async open(
    input: ReadableStream<Uint8Array>,
    raw: { sampleRate: number; channels: number },
    signal?: AbortSignal,
  ): Promise<PipedAudio> {
    const reader = input.getReader();
    // Cancelling also ends a pending read.
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

  /** Waits for the next samples, interleaved, the same number for each channel, at least one; undefined at the end. */
  async read(): Promise<Int16Array | undefined> {
    const { frameBytes, encoding, channels } = this.#format;
    while (this.#wholeBytes() === 0) {
      if (this.#remainingBytes < frameBytes) return undefined;
      const { value } = await this.#reader.read();
      // A partial sample at the end is dropped.
      if (value === undefined) return undefined;
      this.#pending = concatBytes(this.#pending, value);
    }
    const bytes = this.#wholeBytes();
    const samples = (bytes / frameBytes) * channels;
    const pcm = new Int16Array(samples);
    convertToPcm16(this.#pending, 0, samples, encoding, pcm, 0);
    this.#pending = this.#pending.slice(bytes);
    this.#remainingBytes -= bytes;
    return pcm;
  }

  /** The pending bytes that form whole samples of all channels. */
  #wholeBytes(): number {
    const bytes = Math.min(this.#pending.length, this.#remainingBytes);
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
