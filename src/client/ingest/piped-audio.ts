/**
 * Audio from a pipe, as PCM16: raw samples, or a WAV file, recognised by its first bytes. It reads from the pipe only when
 * samples are requested: a slow consumer applies backpressure.
 */
import { findMpegFrames, isFreeFormat, parseMpegHeader } from "../../codec/mpeg.ts";
import { adtsFramesInRow, sniffAudioFormat, sniffBytes } from "../../codec/sniff.ts";
import { decodeWavFrames, wavSamples } from "../../codec/wav/samples.ts";
import { type WavFormat, WavHeadParser } from "../../codec/wav/wav.ts";
import { KiB } from "../../base/limits/units.ts";
import { ClientError } from "../errors.ts";
import { concatBytes } from "../concat-bytes.ts";

/** The part of a stream's reader that is used. */
interface Reader {
  read(): Promise<{ value?: Uint8Array | undefined }>;
  cancel(): Promise<void>;
}

/** Bytes in which compressed audio shows several frames. */
const maxFramesBytes = 16 * KiB;
/** Raw samples look like one frame of MPEG audio by chance, and hardly ever like this many. */
const framesInRow = 3;

export class PipedAudio {
  readonly sampleRate: number;
  readonly channels: number;
  readonly #input: BufferedInput;
  readonly #format: WavFormat;
  #remainingBytes: number;
  /** Samples per channel. */
  #remainingSamples: number;

  private constructor(input: BufferedInput, format: WavFormat) {
    this.#input = input;
    this.#format = format;
    this.#remainingBytes = format.dataBytes ?? Infinity;
    this.#remainingSamples = format.dataBytes === undefined ? Infinity : wavSamples(format, format.dataBytes);
    this.sampleRate = format.sampleRate;
    this.channels = format.channels;
  }

  /**
   * Waits for the first bytes of the input. `raw` is the format of PCM16 samples without a WAV header. The signal ends the
   * input, now or later. Throws BAD_AUDIO for a WAV file that is not supported, and for compressed audio.
   */
  static async open(
    stream: ReadableStream<Uint8Array>,
    raw: { sampleRate: number; channels: number },
    signal?: AbortSignal,
  ): Promise<PipedAudio> {
    const input = new BufferedInput(stream.getReader(), signal);
    const parser = new WavHeadParser();
    for (;;) {
      const head = parser.parse(input.bytes, input.at);
      if (head.kind === "format") {
        input.skipTo(head.format.dataAt);
        return new PipedAudio(input, head.format);
      }
      if (head.kind === "refused") {
        await refuseUnlessRaw(input, parser, head.reason);
        return new PipedAudio(input, rawFormat(raw));
      }
      if (head.kind === "mpeg") throw new ClientError("BAD_AUDIO", "the WAV file contains MP3");
      input.skipTo(head.at);
      if (!(await input.fill())) parser.end(input.at + input.bytes.length);
    }
  }

  /** Waits for the next samples, interleaved, the same number for each channel, at least one; undefined at the end. */
  async read(): Promise<Int16Array | undefined> {
    while (this.#remainingSamples > 0) {
      const whole = this.#wholeBytes();
      const isOver =
        whole === 0 && (this.#remainingBytes <= this.#input.bytes.length || !(await this.#input.fill()));
      if (whole === 0 && !isOver) continue;
      // What is left at the end of the input is a short block of ADPCM, or a part of a sample, which is dropped.
      const bytes = isOver ? Math.min(this.#remainingBytes, this.#input.bytes.length) : whole;
      const pcm = this.#decode(this.#input.take(bytes));
      if (isOver) this.#remainingSamples = 0;
      if (pcm.length > 0) return pcm;
    }
    return undefined;
  }

  #decode(bytes: Uint8Array): Int16Array {
    this.#remainingBytes -= bytes.length;
    const pcm = decodeWavFrames(bytes, this.#format);
    const wanted = pcm.subarray(0, Math.min(pcm.length, this.#remainingSamples * this.channels));
    this.#remainingSamples -= wanted.length / this.channels;
    return wanted;
  }

  /** The buffered bytes that form whole frames. */
  #wholeBytes(): number {
    const bytes = Math.min(this.#input.bytes.length, this.#remainingBytes);
    return bytes - (bytes % this.#format.frameBytes);
  }
}

/** What has been read from the pipe and not been used. */
class BufferedInput {
  /** Offset of `bytes` in the input. */
  at = 0;
  bytes: Uint8Array = new Uint8Array(0);
  readonly signal: AbortSignal | undefined;
  readonly #reader: Reader;
  /** Bytes to be dropped when they arrive. */
  #toSkip = 0;

  constructor(reader: Reader, signal: AbortSignal | undefined) {
    this.#reader = reader;
    this.signal = signal;
    // Cancelling also ends a pending read.
    signal?.addEventListener("abort", () => void reader.cancel());
    if (signal?.aborted === true) void reader.cancel();
  }

  /** Waits for more bytes; false at the end of the input. */
  async fill(): Promise<boolean> {
    const { value } = await this.#reader.read();
    if (value === undefined) return false;
    const skipped = Math.min(this.#toSkip, value.length);
    this.#toSkip -= skipped;
    this.at += skipped;
    this.bytes = concatBytes(this.bytes, value.subarray(skipped));
    return true;
  }

  /** Waits until there are that many bytes, or the input ends. */
  async fillTo(bytes: number): Promise<void> {
    while (this.bytes.length < bytes && (await this.fill()));
  }

  take(bytes: number): Uint8Array {
    const taken = this.bytes.subarray(0, bytes);
    this.bytes = this.bytes.slice(bytes);
    this.at += bytes;
    return taken;
  }

  /** Drops the bytes before an offset, which may not have arrived. */
  skipTo(offset: number): void {
    const dropped = Math.min(offset - this.at, this.bytes.length);
    this.take(dropped);
    this.#toSkip = offset - this.at;
  }
}

function rawFormat({ sampleRate, channels }: { sampleRate: number; channels: number }): WavFormat {
  return { sampleRate, channels, encoding: "s16", frameBytes: 2 * channels, dataAt: 0, dataBytes: undefined };
}

/** Raw samples have no header, so anything unknown counts as such. What is known to be something else is refused. */
async function refuseUnlessRaw(input: BufferedInput, parser: WavHeadParser, reason: string): Promise<void> {
  const isRaw = parser.at === 0;
  // After the end that the signal caused, the input is no reason for a refusal.
  if (!isRaw) input.signal?.throwIfAborted();
  const hasArrived = parser.at <= input.at + input.bytes.length;
  if (parser.isWav || !hasArrived) throw new ClientError("BAD_AUDIO", reason);
  input.skipTo(parser.at);
  const format = await compressedFormat(input);
  if (format !== undefined) {
    throw new ClientError("BAD_AUDIO", `the input is ${format}`, "send WAV, or raw 16-bit samples");
  }
  if (!isRaw) throw new ClientError("BAD_AUDIO", reason);
}

async function compressedFormat(input: BufferedInput): Promise<string | undefined> {
  await input.fillTo(sniffBytes);
  const format = sniffAudioFormat(input.bytes.subarray(0, sniffBytes));
  if (format === "audio/wav") return undefined;
  const isFree = parseMpegHeader(input.bytes, 0)?.bytes === 0;
  const beginsWithFrame = format === "audio/mpeg" || format === "audio/aac" || isFree;
  if (format !== undefined && !beginsWithFrame) return format;
  // MPEG audio may have anything in front. Only silence waits for what may come behind it, so that live samples do not.
  if (beginsWithFrame || isBlank(input.bytes)) await input.fillTo(maxFramesBytes);
  const head = input.bytes.subarray(0, maxFramesBytes);
  if (format === "audio/aac") return adtsFramesInRow(head, framesInRow) === framesInRow ? format : undefined;
  const hasFrames = findMpegFrames(head, framesInRow) >= 0 || (isFree && isFreeFormat(head));
  return hasFrames ? "audio/mpeg" : undefined;
}

function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0) || bytes.every((byte) => byte === 0xff);
}
