/**
 * Finds the frames of MPEG audio, layers II and III (MP3).
 *
 * -- Format of a frame's header (4 bytes, highest bit first)
 *
 *     sync      : 11   all ones
 *     version   : 2    3 MPEG-1, 2 MPEG-2, 0 MPEG-2.5; 1 is reserved
 *     layer     : 2    1 layer III, 2 layer II, 3 layer I; 0 is reserved
 *     no CRC    : 1
 *     bit rate  : 4    an index; 0 "free": another rate, which only the distance of the frames tells; 15 is forbidden
 *     rate      : 2    an index; 3 is reserved
 *     padding   : 1    the frame is a byte longer
 *     private   : 1
 *     mode      : 2    3 is mono
 *     extension : 2, copyright : 1, original : 1
 *     emphasis  : 2    2 is reserved
 *
 * The first frame of a file that an encoder wrote may hold no audio but a tag, "Xing" or "Info", whose LAME extension tells
 * the delay of the encoder and the padding at the end, both in samples.
 *
 * A sync word also occurs by chance. So a frame counts after a gap only if another one like it follows. Layer I is excluded:
 * no encoder uses it, and UTF-16 text begins with FF FE.
 *
 * Sources: ISO/IEC 11172-3, 2.4; ISO/IEC 13818-3, 2.4; G. Bouvigne, Mp3 Info Tag revision 1.
 */
import { id3HeaderBytes, id3TagBytes } from "./id3.ts";

const headerBytes = 4;

export interface MpegHeader {
  /** In Hz. */
  sampleRate: number;
  channels: 1 | 2;
  /** Samples per channel in the frame. */
  samples: number;
  /** Of the whole frame; 0 if the bit rate is free. */
  bytes: number;
  layer: 2 | 3;
  isMpeg1: boolean;
}

/** The tag in a frame without audio. Both are samples per channel; 0 if the tag does not say. */
export interface MpegTag {
  delay: number;
  padding: number;
}

export interface MpegFrame {
  header: MpegHeader;
  /** Set if the frame holds a tag and no audio. */
  tag: MpegTag | undefined;
  /** A view of the input. */
  bytes: Uint8Array;
}

/** Bit rates in kbit/s by index, from 1 on. */
const bitRates = {
  mpeg1layer2: [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
  mpeg1layer3: [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  mpeg2: [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
} as const;

const mpeg1Rates = [44_100, 48_000, 32_000] as const;

/** Parses the header at `source[at]`; undefined if there is none, or if it is cut off. */
export function parseMpegHeader(source: Uint8Array, at: number): MpegHeader | undefined {
  if (at + headerBytes > source.length || source[at] !== 0xff) return undefined;
  const [second, third, fourth] = [source[at + 1]!, source[at + 2]!, source[at + 3]!];
  const version = (second >> 3) & 3;
  const layer = 4 - ((second >> 1) & 3);
  const rate = mpeg1Rates[(third >> 2) & 3];
  if (second < 0xe0 || version === 1 || (layer !== 2 && layer !== 3) || rate === undefined) return undefined;
  if (third >> 4 === 15 || (fourth & 3) === 2) return undefined;
  const isMpeg1 = version === 3;
  const sampleRate = isMpeg1 ? rate : version === 2 ? rate / 2 : rate / 4;
  const samples = layer === 3 && !isMpeg1 ? 576 : 1152;
  const kilobits = bitRateOf(third >> 4, layer, isMpeg1);
  const padding = (third >> 1) & 1;
  const bytes = kilobits === 0 ? 0 : Math.floor((samples * kilobits * 125) / sampleRate) + padding;
  return { sampleRate, channels: fourth >> 6 === 3 ? 1 : 2, samples, bytes, layer, isMpeg1 };
}

function bitRateOf(index: number, layer: 2 | 3, isMpeg1: boolean): number {
  const table = isMpeg1 ? (layer === 2 ? bitRates.mpeg1layer2 : bitRates.mpeg1layer3) : bitRates.mpeg2;
  return index === 0 ? 0 : table[index - 1]!;
}

/** Whether two frames can belong to the same audio; the bit rate and the channels may change. */
export function isSameMpegFormat(a: MpegHeader, b: MpegHeader): boolean {
  return a.sampleRate === b.sampleRate && a.layer === b.layer && a.isMpeg1 === b.isMpeg1;
}

/** The offset of the first of `frames` frames in a row, in part of a file; -1 if there are none. */
export function findMpegFrames(source: Uint8Array, frames: number): number {
  for (let at = source.indexOf(0xff); at >= 0; at = source.indexOf(0xff, at + 1)) {
    if (framesInRow(source, at, frames) === frames) return at;
  }
  return -1;
}

function framesInRow(source: Uint8Array, at: number, maxFrames: number): number {
  const first = parseMpegHeader(source, at);
  if (first === undefined) return 0;
  let frames = 0;
  for (let header: MpegHeader | undefined = first; frames < maxFrames; frames++) {
    if (header === undefined || header.bytes === 0 || !isSameMpegFormat(first, header)) break;
    at += header.bytes;
    header = parseMpegHeader(source, at);
  }
  return frames;
}

/** Frames of free format are at most this long: 640 kbit/s, the limit of decoders, at the lowest rates. */
const maxFreeBytes = 6 * 1024;

/**
 * Whether `source` begins with frames of free format. Their distance is unknown but constant, up to the padding: three equal
 * headers must follow each other so.
 */
export function isFreeFormat(source: Uint8Array): boolean {
  for (let at = source.indexOf(0xff); at >= 0 && at < maxFreeBytes; at = source.indexOf(0xff, at + 1)) {
    const header = parseMpegHeader(source, at);
    if (header?.bytes === 0 && header.layer === 3 && hasFreeFrames(source, at)) return true;
  }
  return false;
}

function hasFreeFrames(source: Uint8Array, at: number): boolean {
  for (let distance = headerBytes; distance <= maxFreeBytes; distance++) {
    if (!isLike(source, at, at + distance)) continue;
    const third = [-1, 0, 1].map((padding) => at + 2 * distance + padding);
    if (third.some((next) => isLike(source, at, next))) return true;
  }
  return false;
}

/** Whether the header at `other` differs from that at `at` in its padding, mode extension and CRC bits only. */
function isLike(source: Uint8Array, at: number, other: number): boolean {
  return (
    source[other] === 0xff &&
    ((source[other + 1]! ^ source[at + 1]!) & 0xfe) === 0 &&
    ((source[other + 2]! ^ source[at + 2]!) & 0xfc) === 0 &&
    ((source[other + 3]! ^ source[at + 3]!) & 0xc0) === 0
  );
}

/** Finds the frames of a file that is given piece by piece. Skips tags and damage. */
export class MpegFrames {
  /** Bytes that are not parsed yet. */
  #rest: Uint8Array = new Uint8Array(0);
  /** Bytes of an ID3 tag still to be skipped. */
  #toSkip = 0;
  #last: MpegHeader | undefined;
  /** Whether the next frame is expected where the last one ended. */
  #isInSync = false;

  /** Returns the frames that these bytes complete. */
  push(bytes: Uint8Array): MpegFrame[] {
    const skipped = Math.min(this.#toSkip, bytes.length);
    this.#toSkip -= skipped;
    const fresh = bytes.subarray(skipped);
    return this.#parse(this.#rest.length === 0 ? fresh : concatenated(this.#rest, fresh), false);
  }

  /** The file has ended: returns the last frame, if it is whole. */
  end(): MpegFrame[] {
    return this.#parse(this.#rest, true);
  }

  #parse(source: Uint8Array, isEnd: boolean): MpegFrame[] {
    const frames: MpegFrame[] = [];
    let at = 0;
    for (;;) {
      const header = this.#headerAt(source, at, isEnd);
      if (header === "more") break;
      if (header !== undefined) {
        const bytes = source.subarray(at, at + header.bytes);
        frames.push({ header, tag: parseTag(header, bytes), bytes });
        this.#last = header;
        at += header.bytes;
      } else {
        at = this.#skip(source, at);
      }
    }
    // An ID3 tag may end beyond the source.
    this.#toSkip += Math.max(0, at - source.length);
    this.#rest = source.slice(at);
    return frames;
  }

  /** The header of the frame at `at`, undefined if none begins there, or "more" if only later bytes tell. */
  #headerAt(source: Uint8Array, at: number, isEnd: boolean): MpegHeader | "more" | undefined {
    if (at + id3HeaderBytes > source.length && !isEnd) return "more";
    if (at >= source.length) return "more";
    const header = parseMpegHeader(source, at);
    if (header === undefined || header.bytes === 0) return undefined;
    const end = at + header.bytes;
    if (end > source.length) return isEnd ? undefined : "more";
    if (this.#isInSync && this.#last !== undefined && isSameMpegFormat(this.#last, header)) return header;
    if (end + headerBytes > source.length && !isEnd) return "more";
    const next = parseMpegHeader(source, end);
    const isConfirmed = next === undefined ? isEnd && end === source.length : isSameMpegFormat(header, next);
    this.#isInSync = isConfirmed;
    return isConfirmed ? header : undefined;
  }

  /** The offset where the next frame may begin. */
  #skip(source: Uint8Array, at: number): number {
    this.#isInSync = false;
    const tagBytes = id3TagBytes(source, at);
    if (tagBytes > 0) return at + tagBytes;
    const next = indexOfSync(source, at + 1);
    return next < 0 ? source.length : next;
  }
}

/** Adds up how long the frames of a file play, without what the tag of its first frame takes off. */
export class MpegDuration {
  /** Of the frames before the sample rate changed. */
  #earlierSeconds = 0;
  #samples = 0;
  #sampleRate: number | undefined;

  get seconds(): number {
    return this.#earlierSeconds + this.#samples / (this.#sampleRate ?? 1);
  }

  add(frames: readonly MpegFrame[]): void {
    for (const { header, tag } of frames) {
      const isFirst = this.#sampleRate === undefined;
      if (this.#sampleRate !== header.sampleRate) {
        this.#earlierSeconds = this.seconds;
        this.#samples = 0;
        this.#sampleRate = header.sampleRate;
      }
      if (tag === undefined) this.#samples += header.samples;
      else if (isFirst) this.#samples -= tag.delay + tag.padding;
    }
  }
}

/** Where a header or an ID3 tag may begin. */
function indexOfSync(source: Uint8Array, from: number): number {
  for (let at = from; at < source.length; at++) {
    const next = source[at + 1];
    if (source[at] === 0xff && (next === undefined || isSecondByte(next))) return at;
    if (source[at] === 0x49 && (next === undefined || next === 0x44)) return at;
  }
  return -1;
}

/** Whether a header of layer II or III may go on with this byte. */
function isSecondByte(byte: number): boolean {
  const layer = byte & 6;
  return byte >= 0xe0 && layer !== 0 && layer !== 6;
}

/** Bytes of the side information, behind which the tag lies. */
function sideBytes({ isMpeg1, channels }: MpegHeader): number {
  if (isMpeg1) return channels === 1 ? 17 : 32;
  return channels === 1 ? 9 : 17;
}

const flagFrames = 1;
const flagBytes = 2;
const flagSeekTable = 4;
const flagQuality = 8;
/** Offset of the delay in the LAME extension. */
const delayOffset = 21;
/** Encoders whose extension has a delay. */
const delayWriters = /^(LAME|Lavf|Lavc|L3\.9|GOGO)/;

function parseTag(header: MpegHeader, frame: Uint8Array): MpegTag | undefined {
  if (header.layer !== 3) return undefined;
  const at = headerBytes + sideBytes(header);
  const magic = textAt(frame, at, 4);
  if (textAt(frame, 36, 4) === "VBRI") return { delay: 0, padding: 0 };
  if (magic !== "Xing" && magic !== "Info") return undefined;
  const flags = frame[at + 7] ?? 0;
  const fieldBytes =
    ((flags & flagFrames) !== 0 ? 4 : 0) +
    ((flags & flagBytes) !== 0 ? 4 : 0) +
    ((flags & flagSeekTable) !== 0 ? 100 : 0) +
    ((flags & flagQuality) !== 0 ? 4 : 0);
  const extension = at + 8 + fieldBytes;
  const delayAt = extension + delayOffset;
  if (delayAt + 3 > frame.length || !delayWriters.test(textAt(frame, extension, 4))) {
    return { delay: 0, padding: 0 };
  }
  return {
    delay: (frame[delayAt]! << 4) | (frame[delayAt + 1]! >> 4),
    padding: ((frame[delayAt + 1]! & 15) << 8) | frame[delayAt + 2]!,
  };
}

function textAt(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}

function concatenated(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
