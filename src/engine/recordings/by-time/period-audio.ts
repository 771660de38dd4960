/** The audio of a period as the bytes of one file, of which any part can be read. */
import { encodePcmHeader } from "../../../codec/wav/rf64.ts";
import { wavHeaderBytes } from "../../../codec/wav/wav.ts";
import { type Clip, isClip, type Plan } from "./plan.ts";
import type { ReadableSegment, SampledSegment } from "./written.ts";

export type PeriodFormat = "wav" | "pcm";

/** A WAV file whose content is right, as far as that is known. */
export interface OpenWav {
  /** Reads to the beginning of `into` if it is given. */
  read(offset: number, length: number, into?: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
  close(): Promise<void>;
}

/** Opens the samples of a recording. Rejects with RECORDING_UNKNOWN, OBJECT_DAMAGED. */
export type WavOpener = (segment: SampledSegment) => Promise<OpenWav>;

interface OpenSegment {
  name: string;
  wav: Promise<OpenWav>;
}

/** Without a resampled plan. Reads must follow each other. */
export class PeriodAudio {
  readonly size: number;
  readonly #plan: Plan;
  readonly #header: Uint8Array<ArrayBuffer>;
  readonly #frameBytes: number;
  readonly #open: WavOpener;
  /** The recording that was read last. */
  #current: OpenSegment | undefined;
  /** The one after it: to open and verify a file takes longer than to read it. */
  #ahead: OpenSegment | undefined;

  constructor(plan: Plan, format: PeriodFormat, open: WavOpener) {
    this.#plan = plan;
    this.#frameBytes = 2 * plan.channels;
    this.#header = headerOf(plan, format);
    this.size = this.#header.length + plan.samples * this.#frameBytes;
    this.#open = open;
  }

  /**
   * Reads exactly these bytes, which must lie within `size`; to the beginning of `into` if it is given. Rejects with
   * RECORDING_UNKNOWN, OBJECT_DAMAGED.
   */
  async read(
    offset: number,
    length: number,
    into?: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const out = into?.subarray(0, length) ?? new Uint8Array(length);
    const head = this.#header.subarray(offset, offset + length);
    out.set(head);
    let filled = head.length;
    let at = offset + filled - this.#header.length;
    for (let index = this.#pieceAt(at); filled < length; index += 1) {
      const piece = this.#plan.pieces[index]!;
      const skip = at - piece.start * this.#frameBytes;
      const bytes = Math.min(length - filled, piece.samples * this.#frameBytes - skip);
      const part = out.subarray(filled, filled + bytes);
      if (isClip(piece)) await this.#readClip(piece, index, skip, part);
      else part.fill(0);
      filled += bytes;
      at += bytes;
    }
    return out;
  }

  async close(): Promise<void> {
    const opened = [this.#current, this.#ahead];
    this.#current = undefined;
    this.#ahead = undefined;
    await Promise.all(opened.map(closeSegment));
  }

  async #readClip(clip: Clip, index: number, skip: number, out: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.#current?.name !== clip.segment.name) await this.#advance(clip, index);
    const wav = await this.#current!.wav;
    await wav.read(wavHeaderBytes + clip.at * this.#frameBytes + skip, out.length, out);
  }

  /** Opens the recording of a clip, and the one after it. */
  async #advance({ segment }: Clip, index: number): Promise<void> {
    await closeSegment(this.#current);
    const ahead = this.#ahead;
    this.#ahead = undefined;
    if (ahead?.name === segment.name) this.#current = ahead;
    else {
      await closeSegment(ahead);
      this.#current = this.#opened(segment);
    }
    const next = this.#plan.pieces.slice(index + 1, index + 3).find(isClip);
    if (next !== undefined && next.segment.name !== segment.name) this.#ahead = this.#opened(next.segment);
  }

  #opened(segment: ReadableSegment): OpenSegment {
    const wav = this.#open(segment);
    // Whoever reads it gets the error.
    wav.catch(() => {});
    return { name: segment.name, wav };
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

/** A file that could not be opened needs no close. */
async function closeSegment(opened: OpenSegment | undefined): Promise<void> {
  const wav = await opened?.wav.catch(() => undefined);
  await wav?.close();
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
