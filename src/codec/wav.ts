/**
 * WAV: audio in a RIFF file.
 *
 * -- Format (all numbers little-endian)
 *
 *     struct {
 *       char magic[4];         // "RIFF"
 *       u32  size;             // of everything that follows
 *       char form[4];          // "WAVE"
 *       struct {
 *         char id[4];
 *         u32  size;           // of the bytes that follow, without the pad byte
 *         u8   bytes[size];    // and a pad byte if size is odd
 *       } chunks[];
 *     }
 *
 * Chunk "fmt ":
 *
 *     u16 tag                  // 1 integers, 3 floats, 0xFFFE extensible: the tag is the first u16 of the sub-format
 *     u16 channels
 *     u32 sampleRate
 *     u32 byteRate
 *     u16 blockBytes           // one sample of each channel
 *     u16 bits                 // of one sample: 8 (unsigned), 16, 24, 32, float 32, float 64
 *     u16 extraBytes, u16 validBits, u32 channelMask, u8 subFormat[16]      // extensible only
 *
 * Chunk "data" holds the samples, interleaved. A reader must accept unknown chunks, a data chunk that the end of the
 * file truncates, and a data size that was never filled in: with 0 or 0xFFFFFFFF the audio extends to the end.
 *
 * The header written here has the 44 bytes that every reader accepts: "fmt " of 16 bytes with integers of 16 bits, then
 * "data".
 *
 * Sources: IBM and Microsoft, Multimedia Programming Interface and Data Specifications 1.0, 1991; Microsoft, Multiple
 * Channel Audio Data and WAVE Files, 2007.
 */

/** Bytes of the header from `encodeWavHeader`. */
export const wavHeaderBytes = 44;

/** The audio must begin within this many bytes; otherwise the file is refused. */
export const maxWavHeadBytes = 1024 * 1024;

export const maxWavChannels = 32;

/** The format of a sample: unsigned or signed integer, or float, and its bits. */
export type WavEncoding = "u8" | "s16" | "s24" | "s32" | "f32" | "f64";

export interface WavFormat {
  /** In Hz, at least 1. */
  sampleRate: number;
  /** 1 to `maxWavChannels`. */
  channels: number;
  encoding: WavEncoding;
  /** Bytes of one sample of every channel. */
  frameBytes: number;
  /** Offset of the samples in the file. */
  dataAt: number;
  /** Bytes of whole sample frames; undefined if only the end of the input tells. */
  dataBytes: number | undefined;
}

/** A format; or the bytes from the start of the file that parsing needs; or why the file cannot be read. */
export type WavHead =
  | { kind: "format"; format: WavFormat }
  | { kind: "more"; bytes: number }
  | { kind: "refused"; reason: string };

const readable = "supported are integers of 8, 16, 24 or 32 bits and floats of 32 or 64 bits";

const unknownSize = 0xffffffff;
const chunkHeaderBytes = 8;
const plainFormatBytes = 16;
const extensibleFormatBytes = 40;

const tagInteger = 1;
const tagFloat = 3;
const tagExtensible = 0xfffe;

/** The sub-format of an extensible file behind its first u16; it is the same for every tag of WAVE. */
const subFormatTail = Uint8Array.of(0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71);

const tagNames: Record<number, string> = {
  2: "Microsoft ADPCM",
  6: "A-law",
  7: "mu-law",
  0x11: "IMA ADPCM",
  0x50: "MPEG",
  0x55: "MP3",
};

/**
 * Parses the chunks before the samples. `head` is the beginning of the file, `fileBytes` the size of the file if it is
 * known. The result is "more" while `head` is too short, but never beyond `fileBytes`: a caller that reads from a pipe
 * passes it once the pipe has ended. Never throws.
 */
export function parseWavHead(head: Uint8Array, fileBytes?: number): WavHead {
  return parseRiff(head, fileBytes, parseFormat);
}

/** The result of `parseRiff`, with a format of any kind. */
export type RiffHead<Format> =
  | { kind: "format"; format: Format & { dataAt: number; dataBytes: number | undefined } }
  | Exclude<WavHead, { kind: "format" }>;

/** Parses the format chunk of `bytes` bytes at `at`: a format, or why it cannot be read. */
type FormatParser<Format> = (view: DataView, at: number, bytes: number) => Format | string;

/** Like `parseWavHead`, with `formatOf` as the parser of the format chunk. */
export function parseRiff<Format extends { frameBytes: number }>(
  head: Uint8Array,
  fileBytes: number | undefined,
  formatOf: FormatParser<Format>,
): RiffHead<Format> {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (head.length < 12) return more(12, fileBytes);
  if (textAt(view, 0) !== "RIFF" || textAt(view, 8) !== "WAVE") return refused("not a WAV file");
  let format: Format | undefined;
  for (let at = 12; ;) {
    if (at + chunkHeaderBytes > maxWavHeadBytes) return refused("no audio in the first MiB of the WAV file");
    if (at + chunkHeaderBytes > head.length) return more(at + chunkHeaderBytes, fileBytes);
    const id = textAt(view, at);
    const size = view.getUint32(at + 4, true);
    const body = at + chunkHeaderBytes;
    if (id === "data") {
      if (format === undefined) return refused("the WAV file has audio before its format");
      const dataBytes = sizeOfData(view, size, body, format.frameBytes, fileBytes);
      return { kind: "format", format: { ...format, dataAt: body, dataBytes } };
    }
    if (id === "fmt ") {
      const needed = Math.min(size, extensibleFormatBytes);
      if (body + needed > head.length) return more(body + needed, fileBytes);
      const parsed = formatOf(view, body, needed);
      if (typeof parsed === "string") return refused(parsed);
      format = parsed;
    }
    at = body + size + (size & 1);
  }
}

function parseFormat(
  view: DataView,
  at: number,
  bytes: number,
): Omit<WavFormat, "dataAt" | "dataBytes"> | string {
  if (bytes < plainFormatBytes) return "the format of the WAV file is cut off";
  const tag = tagAt(view, at, bytes);
  const channels = view.getUint16(at + 2, true);
  const sampleRate = view.getUint32(at + 4, true);
  const frameBytes = view.getUint16(at + 12, true);
  const bits = view.getUint16(at + 14, true);
  const encoding = encodingOf(tag, bits);
  if (encoding === undefined) return `the WAV file contains ${describe(tag, bits)}; ${readable}`;
  if (channels < 1 || channels > maxWavChannels)
    return `the WAV file has ${channels} channels, not 1 to ${maxWavChannels}`;
  if (sampleRate < 1) return "the WAV file has a sample rate of 0";
  if (frameBytes !== (channels * bits) / 8)
    return "the WAV file has a block size that does not fit its format";
  return { sampleRate, channels, encoding, frameBytes };
}

/** The tag of the format. An extensible format has it inside; if that is not a tag of WAVE, it stays 0xFFFE. */
function tagAt(view: DataView, at: number, bytes: number): number {
  const tag = view.getUint16(at, true);
  if (tag !== tagExtensible || bytes < extensibleFormatBytes) return tag;
  const isWaveTag = subFormatTail.every((byte, offset) => view.getUint8(at + 26 + offset) === byte);
  return isWaveTag ? view.getUint16(at + 24, true) : tag;
}

function encodingOf(tag: number, bits: number): WavEncoding | undefined {
  if (tag === tagFloat) return bits === 32 ? "f32" : bits === 64 ? "f64" : undefined;
  if (tag !== tagInteger) return undefined;
  return bits === 8 ? "u8" : bits === 16 ? "s16" : bits === 24 ? "s24" : bits === 32 ? "s32" : undefined;
}

function describe(tag: number, bits: number): string {
  if (tag === tagInteger) return `integers of ${bits} bits`;
  if (tag === tagFloat) return `floats of ${bits} bits`;
  return tagNames[tag] ?? `format 0x${tag.toString(16).padStart(4, "0")}`;
}

/**
 * Bytes of audio in whole sample frames. A size of 0 counts as never filled in. But if the RIFF size covers the whole
 * file, the file has no audio.
 */
function sizeOfData(
  view: DataView,
  size: number,
  dataAt: number,
  frameBytes: number,
  fileBytes: number | undefined,
): number | undefined {
  const isEmpty = fileBytes !== undefined && view.getUint32(4, true) + 8 >= fileBytes;
  const isUnknown = size === unknownSize || (size === 0 && !isEmpty);
  if (isUnknown && fileBytes === undefined) return undefined;
  const rest = Math.max(0, (fileBytes ?? Infinity) - dataAt);
  const bytes = isUnknown ? rest : Math.min(size, rest);
  return bytes - (bytes % frameBytes);
}

function more(bytes: number, fileBytes: number | undefined): Exclude<WavHead, { kind: "format" }> {
  if (fileBytes !== undefined && bytes > fileBytes) return refused("the WAV file ends before its audio");
  return { kind: "more", bytes };
}

function refused(reason: string): Exclude<WavHead, { kind: "format" }> {
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
