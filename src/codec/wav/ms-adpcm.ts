/**
 * Microsoft ADPCM in WAV (format 2), 16-bit audio at 4 bits a sample. A file has blocks of equal size, of which the last may
 * be shorter:
 *
 *     struct {
 *       u8  predictor[channels];    // 0..6, selects two coefficients
 *       i16 delta[channels];        // little-endian, as all numbers
 *       i16 sample1[channels];      // the second sample of the block
 *       i16 sample2[channels];      // the first
 *       u8  nibbles[];              // the high one first; of stereo it is the left channel, and the low one the right
 *     }
 *
 * A nibble n is a signed number of 4 bits:
 *
 *     sample = clamp((sample1 * coefficient1 + sample2 * coefficient2) / 256 + n * delta, -32768, 32767)
 *     delta  = max(16, adaptations[n] * delta / 256)
 *
 * The format chunk repeats the coefficients. Every known file has the seven pairs below.
 *
 * Source: Microsoft, New Multimedia Data Types and Data Techniques, 1994, "Microsoft ADPCM Wave Type".
 */

const coefficients1 = [256, 512, 0, 192, 240, 460, 392];
const coefficients2 = [0, -256, 0, 64, 0, -208, -232];
const adaptations = [230, 230, 230, 230, 307, 409, 512, 614, 768, 614, 512, 409, 307, 230, 230, 230];
const minDelta = 16;

const channelHeaderBytes = 7;
export const maxMsAdpcmChannels = 2;

/** Samples per channel in a block of `bytes` bytes; 0 if that is no valid size. */
export function msAdpcmSamples(bytes: number, channels: number): number {
  if (bytes < channelHeaderBytes * channels || channels > maxMsAdpcmChannels) return 0;
  return 2 + Math.floor(((bytes - channelHeaderBytes * channels) * 2) / channels);
}

/** The samples of one block, interleaved; undefined if it cannot be decoded. */
export function decodeMsAdpcmBlock(block: Uint8Array, channels: number): Int16Array | undefined {
  const samples = msAdpcmSamples(block.length, channels);
  if (samples === 0) return undefined;
  const out = new Int16Array(samples * channels);
  for (let channel = 0; channel < channels; channel++) {
    if (!decodeChannel(block, channel, channels, out)) return undefined;
  }
  return out;
}

function decodeChannel(block: Uint8Array, channel: number, channels: number, out: Int16Array): boolean {
  const predictor = block[channel]!;
  if (predictor >= coefficients1.length) return false;
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  const field = (number: number) => view.getInt16(channels + 2 * (number * channels + channel), true);
  const [coefficient1, coefficient2] = [coefficients1[predictor]!, coefficients2[predictor]!];
  let [delta, sample1, sample2] = [field(0), field(1), field(2)];
  out[channel] = sample2;
  out[channels + channel] = sample1;
  let nibble = channel;
  for (let at = 2 * channels + channel; at < out.length; at += channels, nibble += channels) {
    const byte = block[channelHeaderBytes * channels + (nibble >> 1)]!;
    const code = (nibble & 1) === 0 ? byte >> 4 : byte & 15;
    const predicted = Math.trunc((sample1 * coefficient1 + sample2 * coefficient2) / 256);
    sample2 = sample1;
    sample1 = Math.max(-32768, Math.min(32767, predicted + (code < 8 ? code : code - 16) * delta));
    delta = Math.max(minDelta, (adaptations[code]! * delta) >> 8);
    out[at] = sample1;
  }
  return true;
}
