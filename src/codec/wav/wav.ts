/**
 * WAV: audio in a RIFF file.
 *
 * -- Format (all numbers little-endian; big-endian if the magic is "RIFX")
 *
 *     struct {
 *       char magic[4];         // "RIFF"; "RF64" and "BW64" are the 64-bit forms
 *       u32  size;             // of everything that follows
 *       char form[4];          // "WAVE"
 *       struct {
 *         char id[4];
 *         u32  size;           // of the bytes that follow, without the pad byte
 *         u8   bytes[size];    // and a pad byte if size is odd
 *       } chunks[];
 *     }
 *
 * Chunk "fmt " is in `wav-format.ts`. Chunk "fact" has a u32, the samples per channel of a coded file. Chunk "ds64" of a
 * 64-bit form has three u64: the sizes of the file and of the data, and the samples; they replace sizes of 0xFFFFFFFF.
 *
 * Chunk "data" holds the samples, interleaved. A reader must accept unknown chunks, a data chunk that the end of the
 * file truncates, and a data size that was never filled in: with 0 or 0xFFFFFFFF the audio extends to the end. Taggers put
 * ID3 tags in front of a file; they are skipped.
 *
 * The header written here has the 44 bytes that every reader accepts: "fmt " of 16 bytes with integers of 16 bits, then
 * "data".
 *
 * Sources: IBM and Microsoft, Multimedia Programming Interface and Data Specifications 1.0, 1991; EBU Tech 3306, RF64, 2009;
 * ITU-R BS.2088, BW64, 2019.
 */
import { maxWavHeadChunks, maxWavSkippedBytes } from "../../base/limits/sounds.ts";
import { id3HeaderBytes, id3TagBytes } from "../id3.ts";
import { isAdpcm, maxFormatBytes, parseWavFormat, type WavCoding } from "./format.ts";

/** Bytes of the header from `encodeWavHeader`. */
export const wavHeaderBytes = 44;

export interface WavFormat extends WavCoding {
  /** Offset of the samples in the file. */
  dataAt: number;
  /** Bytes of the samples, whole frames except for ADPCM; undefined if only the end of the input tells. */
  dataBytes: number | undefined;
  /** Samples per channel as the file states them; coded files only. */
  statedSamples?: number;
}

/** A format; or where the file has MPEG audio with a frame structure of its own; or which bytes of the file the parser needs next; or why the file cannot be read. */
export type WavHead =
  | { kind: "format"; format: WavFormat }
  | { kind: "mpeg"; dataAt: number; dataBytes: number | undefined }
  | { kind: "more"; at: number; bytes: number }
  | { kind: "refused"; reason: string };

const unknownSize = 0xffffffff;
/** Programs that write to a pipe state the largest size of their format, somewhat below 2 GiB, or more. */
const minEndlessBytes = 0x7fff_0000;
const riffHeaderBytes = 12;
const chunkHeaderBytes = 8;
const plainFormatBytes = 16;
const sizesBytes = 24;
const factBytes = 4;
const tagInteger = 1;

/**
 * Parses the chunks before the samples. `head` is the beginning of the file, `fileBytes` the size of the file if it is
 * known. The result is "more" while `head` is too short, but never beyond `fileBytes`. Never throws.
 */
export function parseWavHead(head: Uint8Array, fileBytes?: number): WavHead {
  return new WavHeadParser(fileBytes).parse(head, 0);
}

/** Parses the chunks before the samples piece by piece. It never looks at a byte twice, and needs no chunk as a whole. */
export class WavHeadParser {
  #fileBytes: number | undefined;
  /** Offset of the next header, or of the body of the chunk `#body`. */
  #at = 0;
  #body: { id: string; size: number } | undefined;
  /** Of the RIFF header in the file; undefined until it is parsed. */
  #riffAt: number | undefined;
  #isBigEndian = false;
  #riffBytes = 0;
  #sizes: { dataBytes: number; samples: number } | undefined;
  #coding: WavCoding | "mpeg" | undefined;
  #statedSamples: number | undefined;
  #chunks = 0;
  #skippedBytes = 0;

  /** `fileBytes` is the size of the file if it is known. */
  constructor(fileBytes?: number) {
    this.#fileBytes = fileBytes;
  }

  /** The input has ended after this many bytes. */
  end(fileBytes: number): void {
    this.#fileBytes = fileBytes;
  }

  /** Whether the input is WAV, though it may be refused. */
  get isWav(): boolean {
    return this.#riffAt !== undefined;
  }

  /** Offset of the next header; above 0 if the input begins like a WAV file, or like a tag in front of one. */
  get at(): number {
    return this.#at;
  }

  /**
   * Parses as far as `window` goes, the bytes of the file from `windowAt` on. The result is "more" if the parser needs bytes
   * beyond the window; they may lie far behind it. Never throws.
   */
  parse(window: Uint8Array, windowAt: number): WavHead {
    const view = new DataView(window.buffer, window.byteOffset, window.byteLength);
    for (;;) {
      const bytes = this.#neededBytes;
      const from = this.#at - windowAt;
      if (from < 0 || from + bytes > window.length) return this.#more(bytes);
      const result =
        this.#riffAt === undefined
          ? this.#parseStart(view, window, from)
          : this.#body === undefined
            ? this.#parseChunk(view, from)
            : this.#parseBody(this.#body, view, from, bytes);
      if (result !== undefined) return result;
    }
  }

  get #neededBytes(): number {
    if (this.#riffAt === undefined) return riffHeaderBytes;
    if (this.#body === undefined) return chunkHeaderBytes;
    const { id, size } = this.#body;
    return Math.min(size, id === "fmt " ? maxFormatBytes : id === "ds64" ? sizesBytes : factBytes);
  }

  #parseStart(view: DataView, window: Uint8Array, from: number): WavHead | undefined {
    const tagBytes = id3TagBytes(window.subarray(from, from + id3HeaderBytes));
    if (tagBytes > 0) return this.#skip(tagBytes);
    const magic = textAt(view, from);
    const isRiff = magic === "RIFF" || magic === "RIFX" || magic === "RF64" || magic === "BW64";
    if (!isRiff || textAt(view, from + 8) !== "WAVE") return refused("not a WAV file");
    this.#isBigEndian = magic === "RIFX";
    this.#riffBytes = this.#u32(view, from + 4);
    this.#riffAt = this.#at;
    this.#at += riffHeaderBytes;
    return undefined;
  }

  #parseChunk(view: DataView, from: number): WavHead | undefined {
    const id = textAt(view, from);
    const size = this.#u32(view, from + 4);
    this.#at += chunkHeaderBytes;
    if (++this.#chunks > maxWavHeadChunks)
      return refused("the WAV file has too many chunks before its audio");
    if (id === "data") return this.#parseData(size);
    if (id !== "fmt " && id !== "ds64" && id !== "fact") return this.#skip(size + (size & 1));
    this.#body = { id, size };
    return undefined;
  }

  #parseBody({ id, size }: { id: string; size: number }, view: DataView, from: number, bytes: number) {
    this.#body = undefined;
    if (id === "fmt ") {
      const coding = parseWavFormat(view, from, bytes, this.#isBigEndian);
      if (typeof coding === "object" && "refusal" in coding) return refused(coding.refusal);
      this.#coding = coding;
    } else if (id === "ds64" && bytes === sizesBytes) {
      this.#riffBytes = Number(view.getBigUint64(from, true));
      const dataBytes = Number(view.getBigUint64(from + 8, true));
      this.#sizes = { dataBytes, samples: Number(view.getBigUint64(from + 16, true)) };
    } else if (id === "fact" && bytes === factBytes) {
      this.#statedSamples = this.#u32(view, from);
    }
    return this.#skip(size + (size & 1));
  }

  #parseData(size: number): WavHead {
    const coding = this.#coding;
    if (coding === undefined) return refused("the WAV file has audio before its format");
    const dataBytes = this.#dataBytes(size);
    if (coding === "mpeg") return { kind: "mpeg", dataAt: this.#at, dataBytes };
    if (!isAdpcm(coding.encoding)) {
      const wholeBytes = dataBytes === undefined ? undefined : dataBytes - (dataBytes % coding.frameBytes);
      return { kind: "format", format: { ...coding, dataAt: this.#at, dataBytes: wholeBytes } };
    }
    const format: WavFormat = { ...coding, dataAt: this.#at, dataBytes };
    const stated = this.#statedSamples === unknownSize ? this.#sizes?.samples : this.#statedSamples;
    if (stated !== undefined) format.statedSamples = stated;
    return { kind: "format", format };
  }

  /**
   * Bytes of audio. A size of 0 counts as never filled in. But if the RIFF size covers the whole file, the file has no audio.
   */
  #dataBytes(size: number): number | undefined {
    const fileBytes = this.#fileBytes;
    const isEmpty = fileBytes !== undefined && this.#riffBytes + 8 >= fileBytes - this.#riffAt!;
    const is64 = this.#sizes !== undefined && (size === unknownSize || size === 0);
    const stated = is64 ? this.#sizes!.dataBytes : size;
    const isUnknown = (!is64 && size === unknownSize) || (stated === 0 && !isEmpty);
    if (fileBytes === undefined && (isUnknown || (!is64 && stated >= minEndlessBytes))) return undefined;
    const rest = Math.max(0, (fileBytes ?? Infinity) - this.#at);
    return isUnknown ? rest : Math.min(stated, rest);
  }

  /** Chunks of any size follow: without a limit, a file or a pipe without audio would be read for ever. */
  #skip(bytes: number): WavHead | undefined {
    this.#at += bytes;
    this.#skippedBytes += bytes;
    if (this.#fileBytes !== undefined && this.#at > this.#fileBytes) return refused(endsTooEarly);
    if (this.#skippedBytes <= maxWavSkippedBytes) return undefined;
    return refused(`no audio in the first ${maxWavSkippedBytes >> 20} MiB of the WAV file`);
  }

  #more(bytes: number): WavHead {
    const isOver = this.#fileBytes !== undefined && this.#at + bytes > this.#fileBytes;
    return isOver ? refused(endsTooEarly) : { kind: "more", at: this.#at, bytes };
  }

  #u32(view: DataView, at: number): number {
    return view.getUint32(at, !this.#isBigEndian);
  }
}

const endsTooEarly = "the WAV file ends before its audio";

function refused(reason: string): WavHead {
  return { kind: "refused", reason };
}

function textAt(view: DataView, at: number): string {
  return String.fromCharCode(
    view.getUint8(at),
    view.getUint8(at + 1),
    view.getUint8(at + 2),
    view.getUint8(at + 3),
  );
}

/**
 * The header of a PCM16 file. `dataBytes` is the size of the samples. Undefined, as for live audio, or more than a WAV
 * file can hold makes a header without sizes (0xFFFFFFFF).
 */
export function encodeWavHeader(
  sampleRate: number,
  channels: number,
  dataBytes: number | undefined,
): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(wavHeaderBytes);
  const view = new DataView(out.buffer);
  const sizes = dataBytes === undefined ? Infinity : dataBytes;
  out.set(new TextEncoder().encode("RIFF....WAVEfmt "));
  view.setUint32(4, Math.min(unknownSize, sizes + wavHeaderBytes - 8), true);
  view.setUint32(16, plainFormatBytes, true);
  view.setUint16(20, tagInteger, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * channels * 2, true);
  view.setUint16(32, channels * 2, true);
  view.setUint16(34, 16, true);
  out.set(new TextEncoder().encode("data"), 36);
  view.setUint32(40, sizes + wavHeaderBytes - 8 > unknownSize ? unknownSize : sizes, true);
  return out;
}
