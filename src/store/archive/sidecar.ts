/**
 * What the archive has beside the `.wav` of a recording, as one object: a request for each would cost more than the bytes.
 * Little-endian:
 *
 *      0   the file of block checksums (streams/sums/sums.ts), whose length follows from that of the `.wav`
 *          u32   bytes of the levels
 *          u32   bytes of the peaks
 *          u64   xxHash3 of what follows
 *          the `.lvl`, then the `.dat`
 *
 * The checksums come first: a read of a range fetches them alone.
 */
import { type BlockSums, sumsFileBytes } from "../streams/sums/sums.ts";

/** The files that are made of the samples; empty ones are not there. */
export interface MeasuredFiles {
  levels: Uint8Array<ArrayBuffer>;
  peaks: Uint8Array<ArrayBuffer>;
}

const headBytes = 16;

export function encodeSidecar(sums: BlockSums, { levels, peaks }: MeasuredFiles): Uint8Array<ArrayBuffer> {
  const encoded = sums.encode();
  const at = encoded.length;
  const file = new Uint8Array(at + headBytes + levels.length + peaks.length);
  const view = new DataView(file.buffer);
  file.set(encoded);
  view.setUint32(at, levels.length, true);
  view.setUint32(at + 4, peaks.length, true);
  file.set(levels, at + headBytes);
  file.set(peaks, at + headBytes + levels.length);
  view.setBigUint64(at + 8, Bun.hash.xxHash3(file.subarray(at + headBytes)), true);
  return file;
}

/** `size` is that of the `.wav`. Undefined if the file is broken. */
export function decodeMeasured(file: Uint8Array<ArrayBuffer>, size: number): MeasuredFiles | undefined {
  const at = sumsFileBytes(size);
  if (file.length < at + headBytes) return undefined;
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const levelsEnd = at + headBytes + view.getUint32(at, true);
  const isWhole = file.length === levelsEnd + view.getUint32(at + 4, true);
  if (!isWhole || Bun.hash.xxHash3(file.subarray(at + headBytes)) !== view.getBigUint64(at + 8, true))
    return undefined;
  return { levels: file.slice(at + headBytes, levelsEnd), peaks: file.slice(levelsEnd) };
}
