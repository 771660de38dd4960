/**
 * The header of RF64, for audio that is too long for the 32-bit sizes of WAV (EBU Tech 3306):
 *
 *     char magic[4]            // "RF64"
 *     u32  size                // 0xFFFFFFFF
 *     char form[4]             // "WAVE"
 *     char id[4]               // "ds64"
 *     u32  size                // 28
 *     u64  riffBytes           // of everything after the first size
 *     u64  dataBytes
 *     u64  samples             // per channel
 *     u32  tableLength         // 0
 *     "fmt " and "data" as in WAV, the size of the data 0xFFFFFFFF
 */
import { encodeWavHeader, wavHeaderBytes } from "./wav.ts";

const sizesChunkBytes = 36;
export const rf64HeaderBytes = wavHeaderBytes + sizesChunkBytes;

const maxSize = 0xffff_ffff;

/** The header of PCM16 of any length: WAV, or RF64 if the sizes need it. */
export function encodePcmHeader(
  sampleRate: number,
  channels: number,
  dataBytes: number,
): Uint8Array<ArrayBuffer> {
  const plain = encodeWavHeader(sampleRate, channels, dataBytes);
  if (dataBytes + wavHeaderBytes - 8 < maxSize) return plain;
  const out = new Uint8Array(rf64HeaderBytes);
  const view = new DataView(out.buffer);
  out.set(new TextEncoder().encode("RF64....WAVEds64"));
  view.setUint32(4, maxSize, true);
  view.setUint32(16, sizesChunkBytes - 8, true);
  view.setBigUint64(20, BigInt(dataBytes + rf64HeaderBytes - 8), true);
  view.setBigUint64(28, BigInt(dataBytes), true);
  view.setBigUint64(36, BigInt(dataBytes / (2 * channels)), true);
  out.set(plain.subarray(12), 12 + sizesChunkBytes);
  return out;
}
