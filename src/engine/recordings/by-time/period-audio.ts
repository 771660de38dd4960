/** The audio of a period as the bytes of one file, of which any part can be read. */
import { encodePcmHeader } from "../../../codec/wav/rf64.ts";
import { wavHeaderBytes } from "../../../codec/wav/wav.ts";
import { periodReadBytes } from "../../../base/limits/recordings.ts";
import type { ReadableSegment } from "./written.ts";
import { type Clip, isClip, type Plan } from "./plan.ts";

export type PeriodFormat = "wav" | "pcm";

/** A WAV file whose content is right, as far as that is known. */
export interface OpenWav {
  /** Reads to the beginning of `into` if it is given. */
  read(offset: number, length: number, into?: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
  close(): Promise<void>;
}

/** Opens the samples of a recording. Rejects with RECORDING_UNKNOWN, OBJECT_DAMAGED. */
export type WavOpener = (segment: Pick<ReadableSegment, "id" | "name" | "wav">) => Promise<OpenWav>;

/** Without a resampled plan. Reads must follow each other. */
export class PeriodAudio {
  readonly size: number;
  readonly #plan: Plan;
  readonly #header: Uint8Array<ArrayBuffer>;
  readonly #frameBytes: number;
  readonly #open: WavOpener;
  /** The recording that was read last. */
  #file: { name: string; wav: OpenWav } | undefined;
  /** The block of it that was read last. */
  #block = { offset: 0, bytes: new Uint8Array(0) };
  #memory: Uint8Array<ArrayBuffer> | undefined;

  constructor(plan: Plan, format: PeriodFormat, open: WavOpener) {
    this.#plan = plan;
    this.#frameBytes = 2 * plan.channels;
    this.#header = headerOf(plan, format);
    this.size = this.#header.length + plan.samples * this.#frameBytes;
    this.#open = open;
  }

  /** Reads exactly these bytes, which must lie within `size`. Rejects with RECORDING_UNKNOWN, OBJECT_DAMAGED. */
  async read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    const out = new Uint8Array(length);
    let filled = 0;
    if (offset < this.#header.length) {
      const head = this.#header.subarray(offset, offset + length);
      out.set(head);
      filled = head.length;
    }
    let at = offset + filled - this.#header.length;
    for (let index = this.#pieceAt(at); filled < length; index += 1) {
      const piece = this.#plan.pieces[index]!;
      const skip = at - piece.start * this.#frameBytes;
      const bytes = Math.min(length - filled, piece.samples * this.#frameBytes - skip);
      if (isClip(piece)) out.set(await this.#readClip(piece, skip, bytes), filled);
      filled += bytes;
      at += bytes;
    }
    return out;
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    this.#block = { offset: 0, bytes: new Uint8Array(0) };
    await file?.wav.close();
  }

  async #readClip({ segment, at, samples }: Clip, skip: number, bytes: number): Promise<Uint8Array> {
    if (this.#file?.name !== segment.name) {
      await this.close();
      this.#file = { name: segment.name, wav: await this.#open(segment) };
    }
    const first = wavHeaderBytes + at * this.#frameBytes;
    const from = first + skip - this.#block.offset;
    if (from >= 0 && from + bytes <= this.#block.bytes.length)
      return this.#block.bytes.subarray(from, from + bytes);
    const offset = first + skip;
    const length = Math.max(bytes, Math.min(periodReadBytes, samples * this.#frameBytes - skip));
    const into = length <= periodReadBytes ? this.#memoryOf(length) : undefined;
    this.#block = { offset, bytes: await this.#file.wav.read(offset, length, into) };
    return this.#block.bytes.subarray(0, bytes);
  }

  /** Parts of a period that is followed are short. */
  #memoryOf(length: number): Uint8Array<ArrayBuffer> {
    if (this.#memory === undefined || this.#memory.length < length) this.#memory = new Uint8Array(length);
    return this.#memory;
  }

  /** The piece with this byte of the samples. */
  #pieceAt(byte: number): number {
    const { pieces } = this.#plan;
    let low = 0;
    let high = pieces.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (pieces[middle]!.start * this.#frameBytes <= byte) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

export function headerOf(
  { sampleRate, channels, samples }: Plan,
  format: PeriodFormat,
): Uint8Array<ArrayBuffer> {
  return format === "pcm" ? new Uint8Array(0) : encodePcmHeader(sampleRate, channels, samples * 2 * channels);
}

/** Identifies the audio: other recordings, another cut or another format have another one. */
export function tagOf(plan: Plan, format: PeriodFormat): string {
  const hasher = new Bun.CryptoHasher("sha256");
  hasher.update(`${format} ${plan.sampleRate} ${plan.channels} ${plan.samples} ${plan.isResampled}`);
  for (const piece of plan.pieces) {
    if (isClip(piece))
      hasher.update(
        ` ${piece.start} ${piece.at} ${piece.sourceSamples} ${piece.segment.wav?.sha256 ?? piece.segment.name}`,
      );
  }
  return hasher.digest("hex");
}
