/**
 * FLAC: the head of a file, and the headers of its frames. `frame.ts` decodes what follows a header.
 *
 * -- Format of a file
 *
 *     "fLaC", metadata blocks, frames
 *
 *     metadata block : last block 1 bit, type 7 bits, length 24 bits, then that many bytes. The first is STREAMINFO (type 0):
 *                      block sizes 2 x 16, frame sizes 2 x 24, sample rate 20, channels - 1 : 3, bits - 1 : 5, samples 36, MD5
 *
 * -- Format of a frame's header (highest bit first)
 *
 *     sync       : 15   11111111 1111100
 *     blocking   : 1    whether block sizes vary; both are decoded alike
 *     block size : 4    a code; 6 and 7: it follows in one byte or two, minus 1
 *     rate       : 4    a code; 12 to 14: it follows, in kHz, Hz or tens of Hz; 0: see STREAMINFO
 *     channels   : 4    0 to 7: their number minus 1; 8 to 10: left and side, side and right, middle and side
 *     bits       : 3    a code; 0: see STREAMINFO
 *     reserved   : 1    zero
 *     number     : 8 to 56   of the frame or of its first sample, in the manner of UTF-8
 *     block size, rate : 0 to 16 each
 *     CRC-8      : 8
 *
 * STREAMINFO may lie. Only rate and bits of frames that refer to it are taken from it, never a size to allocate.
 *
 * Source: RFC 9639, sections 8.1, 8.2, 9.1.
 */
import type { ReadAt } from "../probe.ts";
import { crc8 } from "./crc.ts";

/** What frames may leave out. */
export interface FlacStream {
  sampleRate: number;
  bits: number;
  /** Offset of the first frame. */
  audioAt: number;
}

export interface FlacHeader {
  /** Samples per channel. */
  samples: number;
  /** In Hz. */
  sampleRate: number;
  channels: number;
  stereo: "independent" | "left-side" | "side-right" | "mid-side";
  /** Of a sample. */
  bits: number;
  /** Of this header. */
  bytes: number;
}

const streamInfoBytes = 34;
/** Where the sample rate begins in STREAMINFO. Channels and bits follow in the same 32 bits. */
const streamInfoRateAt = 10;
/** Files have a dozen blocks at most. */
const maxMetadataBlocks = 1_000;
/** The fixed part, the number, the block size, the rate and the CRC. */
export const maxFlacHeaderBytes = 4 + 8 + 2 + 2 + 1;

const rates = [0, 88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000];
const bitDepths = [0, 8, 12, undefined, 16, 20, 24, 32];
const stereoModes = ["left-side", "side-right", "mid-side"] as const;

/** Reads the metadata of the file whose "fLaC" is at `at`; undefined if it is damaged. Pictures and tags are skipped. */
export async function readFlacStream(read: ReadAt, at: number): Promise<FlacStream | undefined> {
  const info = await read(at + 4, 4 + streamInfoBytes);
  if (info.length < 4 + streamInfoBytes || (info[0]! & 0x7f) !== 0) return undefined;
  const packed = new DataView(info.buffer, info.byteOffset).getUint32(4 + streamInfoRateAt);
  const stream = { sampleRate: packed >>> 12, bits: ((packed >> 4) & 31) + 1 };
  let block = info;
  for (let blocks = 0, next = at + 4; blocks < maxMetadataBlocks; blocks++) {
    next += 4 + ((block[1]! << 16) | (block[2]! << 8) | block[3]!);
    if (block[0]! >= 0x80) return { ...stream, audioAt: next };
    block = await read(next, 4);
    if (block.length < 4) return undefined;
  }
  return undefined;
}

/** The offset at or behind `from` where a frame may begin; the length of `source` if there is none. */
export function findFlacSync(source: Uint8Array, from: number): number {
  for (let at = source.indexOf(0xff, from); at >= 0; at = source.indexOf(0xff, at + 1)) {
    // The last byte may be the first one of a sync code.
    if (at + 1 === source.length || (source[at + 1]! & 0xfe) === 0xf8) return at;
  }
  return source.length;
}

/** Parses the header at `source[at]`; undefined if there is none, or if it is cut off. */
export function parseFlacHeader(source: Uint8Array, at: number, stream: FlacStream): FlacHeader | undefined {
  const [first, second, sizes, format] = source.subarray(at, at + 4);
  if (format === undefined || first !== 0xff || (second! & 0xfe) !== 0xf8 || (format & 1) !== 0)
    return undefined;
  const sizeCode = sizes! >> 4;
  const rateCode = sizes! & 15;
  const mode = format >> 4;
  const bits = bitDepths[(format >> 1) & 7];
  if (sizeCode === 0 || rateCode === 15 || mode > 10 || bits === undefined) return undefined;
  const sizeAt = at + 4 + numberBytes(source[at + 4]!);
  const sizeBytes = sizeCode === 6 ? 1 : sizeCode === 7 ? 2 : 0;
  const rateAt = sizeAt + sizeBytes;
  const crcAt = rateAt + (rateCode === 12 ? 1 : rateCode > 12 ? 2 : 0);
  if (crcAt >= source.length || crc8(source, at, crcAt) !== source[crcAt]) return undefined;
  const header = {
    samples: sizeBytes === 0 ? blockSize(sizeCode) : 1 + numberAt(source, sizeAt, rateAt),
    sampleRate: rateCode < 12 ? rates[rateCode]! : numberAt(source, rateAt, crcAt) * rateUnit(rateCode),
    channels: mode < 8 ? mode + 1 : 2,
    stereo: stereoModes[mode - 8] ?? ("independent" as const),
    bits,
    bytes: crcAt + 1 - at,
  };
  return { ...header, sampleRate: header.sampleRate || stream.sampleRate, bits: header.bits || stream.bits };
}

/** Bytes of a number whose first byte has as many leading ones, as in UTF-8. */
function numberBytes(first: number): number {
  return first < 0x80 ? 1 : Math.max(1, Math.clz32(~(first << 24)));
}

function blockSize(code: number): number {
  if (code === 1) return 192;
  return code < 6 ? 144 << code : 1 << code;
}

function rateUnit(code: number): number {
  return code === 12 ? 1_000 : code === 13 ? 1 : 10;
}

function numberAt(source: Uint8Array, from: number, to: number): number {
  return to - from === 1 ? source[from]! : (source[from]! << 8) | source[from + 1]!;
}
