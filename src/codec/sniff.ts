/**
 * Detects the audio format of a file from its first bytes.
 *
 *     RIFF....WAVE                      audio/wav          (also RIFX, and the 64-bit forms RF64 and BW64)
 *     FORM....AIFF or AIFC              audio/aiff
 *     .snd                              audio/basic
 *     caff                              audio/x-caf
 *     riff, rest of a GUID              audio/x-w64        (Sony Wave64)
 *     OggS, first packet "OpusHead"     audio/ogg; codecs=opus      RFC 3533, RFC 7845
 *     OggS, first packet 01 "vorbis"    audio/ogg; codecs=vorbis    Vorbis I specification, 4.2.1
 *     fLaC                              audio/flac         RFC 9639
 *     ....ftyp, brand of audio or any   audio/mp4          ISO/IEC 14496-12, 4.3
 *     ID3 tag, or a frame header        audio/mpeg         ISO/IEC 11172-3, 2.4.1.3
 *     ADTS frame header                 audio/aac          ISO/IEC 14496-3, 1.A.2
 *
 * Players trust the type, so a wrong guess is worse than none: an uncertain format is undefined.
 */

import { id3TagBytes } from "./id3.ts";
import { parseMpegHeader } from "./mpeg.ts";

/** Bytes from the start of a file that detection needs; it ignores any others. */
export const sniffBytes = 64;

/** Brands of ISO files that may contain audio; pictures (heic, avif) use the same boxes. */
const mp4Brands = /^(M4[ABP] |isom|iso[2-9]|mp4[12]|dash)$/;

const riffMagics = new Set(["RIFF", "RIFX", "RF64", "BW64"]);

/** The MIME type of a file that begins with `head`, which may have fewer than `sniffBytes`. */
export function sniffAudioFormat(head: Uint8Array): string | undefined {
  const container = sniffContainer(head);
  if (container !== undefined) return container;
  const tagEnd = id3TagBytes(head);
  if (tagEnd === 0) return sniffFrameHeader(head, 0);
  // A tag belongs to an MP3 unless the bytes after it are known and say otherwise.
  if (tagEnd > head.length - 4) return "audio/mpeg";
  return sniffContainer(head.subarray(tagEnd)) ?? sniffFrameHeader(head, tagEnd) ?? "audio/mpeg";
}

function sniffContainer(head: Uint8Array): string | undefined {
  if (hasText(head, 8, "WAVE") && riffMagics.has(textAt(head, 0, 4))) return "audio/wav";
  if (hasText(head, 0, "FORM") && /^AIF[FC]$/.test(textAt(head, 8, 4))) return "audio/aiff";
  if (hasText(head, 0, ".snd")) return "audio/basic";
  if (hasText(head, 0, "caff\0\x01")) return "audio/x-caf";
  if (hasText(head, 0, "riff\x2e\x91\xcf\x11")) return "audio/x-w64";
  if (hasText(head, 0, "OggS")) return sniffOgg(head);
  if (hasText(head, 0, "fLaC")) return "audio/flac";
  if (hasText(head, 4, "ftyp") && mp4Brands.test(textAt(head, 8, 4))) return "audio/mp4";
  return undefined;
}

/** An Ogg page: 26 bytes, the number of segments, their lengths, then the first packet, which names the codec. */
function sniffOgg(head: Uint8Array): string {
  const packet = 27 + byteAt(head, 26);
  if (hasText(head, packet, "OpusHead")) return "audio/ogg; codecs=opus";
  if (hasText(head, packet, "\x01vorbis")) return "audio/ogg; codecs=vorbis";
  return "audio/ogg";
}

function sniffFrameHeader(head: Uint8Array, at: number): string | undefined {
  if (isMpegFrameHeader(head, at)) return "audio/mpeg";
  return isAdtsFrameHeader(head, at) ? "audio/aac" : undefined;
}

/** The "free" bit rate 0000 is excluded: zeros after an accidental FF Fx would match it. */
function isMpegFrameHeader(head: Uint8Array, at: number): boolean {
  const header = parseMpegHeader(head, at);
  return header !== undefined && header.bytes > 0;
}

/** How many frames of ADTS `head` begins with, up to `maxFrames`. */
export function adtsFramesInRow(head: Uint8Array, maxFrames: number): number {
  let frames = 0;
  for (let at = 0; frames < maxFrames && isAdtsFrameHeader(head, at); frames++)
    at += adtsFrameBytes(head, at);
  return frames;
}

/** 12 bits of sync, layer 00, sampling index up to 12, and a frame at least as long as its 7-byte header. */
function isAdtsFrameHeader(head: Uint8Array, at: number): boolean {
  if (at + 7 > head.length || byteAt(head, at) !== 0xff || (byteAt(head, at + 1) & 0xf6) !== 0xf0)
    return false;
  const samplingIndex = (byteAt(head, at + 2) >> 2) & 15;
  return samplingIndex <= 12 && adtsFrameBytes(head, at) >= 7;
}

function adtsFrameBytes(head: Uint8Array, at: number): number {
  return ((byteAt(head, at + 3) & 3) << 11) | (byteAt(head, at + 4) << 3) | (byteAt(head, at + 5) >> 5);
}

/** The byte at `at`, or 0 past the end. */
function byteAt(head: Uint8Array, at: number): number {
  return head[at] ?? 0;
}

function hasText(head: Uint8Array, at: number, text: string): boolean {
  return textAt(head, at, text.length) === text;
}

function textAt(head: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...head.subarray(at, at + length));
}
