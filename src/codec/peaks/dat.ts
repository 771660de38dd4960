/**
 * Peaks of a sound in the binary layout of audiowaveform, version 2, which wavesurfer.js and peaks.js read.
 *
 * -- Format (all numbers little-endian)
 *
 *     i32 version;             // 2
 *     u32 flags;               // bit 0: 0 = 16-bit values, 1 = 8-bit values
 *     i32 sampleRate;          // in Hz
 *     i32 samplesPerPixel;
 *     u32 length;              // pixels
 *     i32 channels;
 *     struct {
 *       i16 min, max;          // i8 if flags say so
 *     } pixel[length][channels];
 *
 * The last pixel may cover fewer samples. Only 16-bit values are written here.
 *
 * Source: BBC audiowaveform, doc/DataFormat.md.
 */

export interface Peaks {
  /** In Hz. */
  sampleRate: number;
  samplesPerPixel: number;
  channels: number;
  /** The minimum and the maximum of each channel of a pixel, pixel by pixel. */
  data: Int16Array<ArrayBuffer>;
}

export const datHeaderBytes = 24;
const version = 2;
const eightBit = 1;

/** Pixels of peaks. */
export function pixelsOf({ data, channels }: Peaks): number {
  return data.length / (2 * channels);
}

export function encodeDatHeader(
  { sampleRate, samplesPerPixel, channels }: Omit<Peaks, "data">,
  length: number,
): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(datHeaderBytes);
  const view = new DataView(out.buffer);
  view.setInt32(0, version, true);
  view.setInt32(8, sampleRate, true);
  view.setInt32(12, samplesPerPixel, true);
  view.setUint32(16, length, true);
  view.setInt32(20, channels, true);
  return out;
}

export function encodeDat(peaks: Peaks): Uint8Array<ArrayBuffer> {
  const { data } = peaks;
  const out = new Uint8Array(datHeaderBytes + data.byteLength);
  out.set(encodeDatHeader(peaks, pixelsOf(peaks)));
  out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), datHeaderBytes);
  return out;
}

/** Undefined for anything but a whole file of version 2. Eight-bit values are scaled to 16 bits. */
export function decodeDat(file: Uint8Array): Peaks | undefined {
  if (file.length < datHeaderBytes) return undefined;
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const sampleRate = view.getInt32(8, true);
  const samplesPerPixel = view.getInt32(12, true);
  const channels = view.getInt32(20, true);
  if (view.getInt32(0, true) !== version || sampleRate < 1 || samplesPerPixel < 1 || channels < 1)
    return undefined;
  const isEightBit = (view.getUint32(4, true) & eightBit) !== 0;
  const values = 2 * channels * view.getUint32(16, true);
  if (file.length !== datHeaderBytes + values * (isEightBit ? 1 : 2)) return undefined;
  const data = isEightBit ? eightBitValues(file) : sixteenBitValues(file);
  return { sampleRate, samplesPerPixel, channels, data };
}

/** Copied first: the values of a view may lie at an odd offset. */
function sixteenBitValues(file: Uint8Array): Int16Array<ArrayBuffer> {
  return new Int16Array(new Uint8Array(file.subarray(datHeaderBytes)).buffer);
}

function eightBitValues(file: Uint8Array): Int16Array<ArrayBuffer> {
  return Int16Array.from(file.subarray(datHeaderBytes), (value) => (value << 24) >> 16);
}
