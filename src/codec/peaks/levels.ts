/**
 * Levels of a recording in blocks of 100 ms, to half a decibel.
 *
 * -- Format (all numbers little-endian)
 *
 *     char magic[4];           // "WLV1"
 *     u32 sampleRate;          // in Hz
 *     u32 length;              // blocks
 *     struct {
 *       u8 rms, peak;          // 0: silence; 1 to 254: -(254 - code) / 2 dBFS; 255, of a peak: the block clips
 *     } block[length];
 *
 * Two bytes a block, and the peaks of 16 kHz beside them, take less than 1 MB an hour. The last block may cover fewer samples.
 */
import { levelBlockMs, minClippedSamples } from "../../base/limits/peaks.ts";
import { type Level, peakDbfs, rmsDbfs, silenceDbfs } from "./level.ts";

export interface Levels {
  /** In Hz. */
  sampleRate: number;
  /** The codes of RMS and peak of each block. */
  codes: Uint8Array;
}

export const levelsHeaderBytes = 12;
export const levelBytes = 2;
const magic = 0x3156_4c57;
const clippingCode = 255;
const zeroDbfsCode = 254;
const codesPerDb = 2;

/** Sample frames of a block. */
export function levelBlockFrames(sampleRate: number): number {
  return Math.max(1, Math.round((sampleRate * levelBlockMs) / 1000));
}

/** Writes the codes of a level to `out[at]` and the byte behind it. */
export function encodeLevel(level: Level, out: Uint8Array, at: number): void {
  out[at] = codeOf(rmsDbfs(level));
  out[at + 1] = level.clipped >= minClippedSamples ? clippingCode : codeOf(peakDbfs(level));
}

function codeOf(dbfs: number): number {
  return dbfs <= silenceDbfs ? 0 : Math.max(1, zeroDbfsCode + Math.round(dbfs * codesPerDb));
}

/** In dBFS; `silenceDbfs` for silence. */
export function dbfsOfCode(code: number): number {
  return code === 0 ? silenceDbfs : (Math.min(code, zeroDbfsCode) - zeroDbfsCode) / codesPerDb;
}

export function isClippingCode(code: number): boolean {
  return code === clippingCode;
}

export function encodeLevelsHeader(sampleRate: number, blocks: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(levelsHeaderBytes);
  const view = new DataView(out.buffer);
  view.setUint32(0, magic, true);
  view.setUint32(4, sampleRate, true);
  view.setUint32(8, blocks, true);
  return out;
}

/** Undefined for anything but a whole file. */
export function decodeLevels(file: Uint8Array): Levels | undefined {
  if (file.length < levelsHeaderBytes) return undefined;
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const sampleRate = view.getUint32(4, true);
  if (view.getUint32(0, true) !== magic || sampleRate === 0) return undefined;
  if (file.length !== levelsHeaderBytes + levelBytes * view.getUint32(8, true)) return undefined;
  return { sampleRate, codes: file.subarray(levelsHeaderBytes) };
}
