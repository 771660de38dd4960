/**
 * Parses the format chunk of a WAV file:
 *
 *     u16 tag                  // 1 integers, 2 Microsoft ADPCM, 3 floats, 6 A-law, 7 mu-law, 0x11 IMA ADPCM, 0x50 and 0x55
 *                              // MPEG audio; 0xFFFE extensible: the tag is the first u16 of the sub-format
 *     u16 channels
 *     u32 sampleRate
 *     u32 byteRate
 *     u16 blockBytes           // one sample of each channel, or a block of ADPCM
 *     u16 bits                 // valid bits of one sample, left-aligned in whole bytes
 *     u16 extraBytes, u16 validBits, u32 channelMask, u8 subFormat[16]      // extensible only
 *
 * Many writers fill in a wrong `blockBytes` (0, or that of another format). For PCM the bits tell the size of a sample, and
 * `blockBytes` counts only where the bits cannot: for bits that do not fill bytes, and for the common 24 bits in 32.
 *
 * Sources: IBM and Microsoft, Multimedia Programming Interface and Data Specifications 1.0, 1991; Microsoft, Multiple
 * Channel Audio Data and WAVE Files, 2007.
 */
import { msAdpcmSamples } from "./ms-adpcm.ts";
import { wavAdpcmSamples } from "./adpcm.ts";

export const maxWavChannels = 32;

/** Integers of 8 bits are unsigned, all others signed. */
type LittleEndianPcm = "u8" | "s16" | "s24" | "s32" | "s40" | "s48" | "s56" | "s64" | "f32" | "f64";
export type PcmEncoding = LittleEndianPcm | `${Exclude<LittleEndianPcm, "u8">}be` | "alaw" | "mulaw";
export type AdpcmEncoding = "ima-adpcm" | "ms-adpcm";
export type WavEncoding = PcmEncoding | AdpcmEncoding;

export interface WavCoding {
  /** In Hz, at least 1. */
  sampleRate: number;
  /** 1 to `maxWavChannels`. */
  channels: number;
  encoding: WavEncoding;
  /** Bytes of one sample of every channel; for ADPCM, of a block, and the last block may be shorter. */
  frameBytes: number;
}

/** Samples per channel in a block of `bytes` bytes of `channels` channels; 0 if that is no valid size. */
export const adpcmBlockSamples: Record<AdpcmEncoding, (bytes: number, channels: number) => number> = {
  "ima-adpcm": wavAdpcmSamples,
  "ms-adpcm": msAdpcmSamples,
};

export function isAdpcm(encoding: WavEncoding): encoding is AdpcmEncoding {
  return Object.hasOwn(adpcmBlockSamples, encoding);
}

const readable =
  "supported are integers of 8 to 64 bits, floats of 32 or 64 bits, A-law, mu-law, IMA and Microsoft ADPCM";

/** Bytes of the format chunk that are parsed, at most. */
export const maxFormatBytes = 40;
const minFormatBytes = 16;

const tagInteger = 1;
const tagFloat = 3;
const tagMsAdpcm = 2;
const tagALaw = 6;
const tagMuLaw = 7;
const tagImaAdpcm = 0x11;
const tagMpeg = 0x50;
const tagMp3 = 0x55;
const tagExtensible = 0xfffe;

/** The sub-format of an extensible file behind its first u16; it is the same for every tag of WAVE. */
const subFormatTail = Uint8Array.of(0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71);

const tagNames: Record<number, string> = {
  0x31: "GSM 6.10",
  0xff: "AAC",
  0x161: "Windows Media Audio",
};

/** The fields of the chunk. */
interface Fields {
  tag: number;
  channels: number;
  sampleRate: number;
  byteRate: number;
  blockBytes: number;
  bits: number;
}

/** Parses the first `bytes` bytes of the chunk, at `view[at]`: a coding, "mpeg", or why it cannot be read. */
export function parseWavFormat(
  view: DataView,
  at: number,
  bytes: number,
  isBigEndian: boolean,
): WavCoding | "mpeg" | { refusal: string } {
  if (bytes < minFormatBytes) return { refusal: "the format of the WAV file is cut off" };
  const fields = fieldsOf(view, at, bytes, !isBigEndian);
  const { tag, channels, sampleRate, bits } = fields;
  if (tag === tagMpeg || tag === tagMp3) return "mpeg";
  if (channels < 1 || channels > maxWavChannels)
    return { refusal: `the WAV file has ${channels} channels, not 1 to ${maxWavChannels}` };
  if (sampleRate < 1) return { refusal: "the WAV file has a sample rate of 0" };
  if (tag === tagImaAdpcm) return adpcmCoding(fields, "ima-adpcm", "IMA ADPCM", isBigEndian);
  if (tag === tagMsAdpcm) return adpcmCoding(fields, "ms-adpcm", "Microsoft ADPCM", isBigEndian);
  const sampleBytes = sampleBytesOf(fields);
  const encoding = encodingOf(tag, sampleBytes, isBigEndian);
  if (encoding === undefined) return { refusal: `the WAV file contains ${describe(tag, bits)}; ${readable}` };
  return { sampleRate, channels, encoding, frameBytes: sampleBytes * channels };
}

function fieldsOf(view: DataView, at: number, bytes: number, isLittle: boolean): Fields {
  return {
    tag: tagAt(view, at, bytes, isLittle),
    channels: view.getUint16(at + 2, isLittle),
    sampleRate: view.getUint32(at + 4, isLittle),
    byteRate: view.getUint32(at + 8, isLittle),
    blockBytes: view.getUint16(at + 12, isLittle),
    bits: view.getUint16(at + 14, isLittle),
  };
}

/** The tag of the format. An extensible format has it inside; if that is not a tag of WAVE, it stays 0xFFFE. */
function tagAt(view: DataView, at: number, bytes: number, isLittle: boolean): number {
  const tag = view.getUint16(at, isLittle);
  if (tag !== tagExtensible || bytes < maxFormatBytes) return tag;
  const isWaveTag = subFormatTail.every((byte, offset) => view.getUint8(at + 26 + offset) === byte);
  return isWaveTag ? view.getUint16(at + 24, isLittle) : tag;
}

function adpcmCoding(
  { channels, sampleRate, blockBytes, bits }: Fields,
  encoding: AdpcmEncoding,
  name: string,
  isBigEndian: boolean,
): WavCoding | { refusal: string } {
  if (isBigEndian) return { refusal: `the WAV file contains big-endian ${name}` };
  if (bits !== 4) return { refusal: `the WAV file contains ${name} of ${bits} bits; supported are 4` };
  if (adpcmBlockSamples[encoding](blockBytes, channels) < 2) {
    return { refusal: `the WAV file has invalid blocks of ${name}` };
  }
  return { sampleRate, channels, encoding, frameBytes: blockBytes };
}

function sampleBytesOf({ tag, channels, sampleRate, byteRate, blockBytes, bits }: Fields): number {
  if (tag === tagALaw || tag === tagMuLaw) return 1;
  const bytes = Math.ceil(bits / 8);
  const container = blockBytes / channels;
  const fills = bits > 0 && bits % 8 === 0;
  const is24In32 = bits === 24 && container === 4 && byteRate === sampleRate * blockBytes;
  return Number.isInteger(container) && (fills ? is24In32 : container >= bytes) ? container : bytes;
}

function encodingOf(tag: number, sampleBytes: number, isBigEndian: boolean): WavEncoding | undefined {
  if (tag === tagALaw) return "alaw";
  if (tag === tagMuLaw) return "mulaw";
  const bits = sampleBytes * 8;
  if (tag === tagFloat) {
    if (bits !== 32 && bits !== 64) return undefined;
    return isBigEndian ? `f${bits}be` : `f${bits}`;
  }
  if (tag !== tagInteger || bits < 8 || bits > 64) return undefined;
  if (bits === 8) return "u8";
  const encoding = `s${bits}` as "s16" | "s24" | "s32" | "s40" | "s48" | "s56" | "s64";
  return isBigEndian ? `${encoding}be` : encoding;
}

function describe(tag: number, bits: number): string {
  if (tag === tagInteger) return `integers of ${bits} bits`;
  if (tag === tagFloat) return `floats of ${bits} bits`;
  return tagNames[tag] ?? `format 0x${tag.toString(16).padStart(4, "0")}`;
}
