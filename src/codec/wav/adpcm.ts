/**
 * IMA ADPCM in WAV (format 0x11): blocks of equal size, of which the last may be shorter. A block is a frame of
 * `ima-adpcm.ts` with the low nibble first, but here the predictor of its header is the first sample of the block.
 *
 * Source: Microsoft, New Multimedia Data Types and Data Techniques, 1994, "IMA ADPCM Wave Type".
 */
import { AdpcmDecoder, channelHeaderBytes, coderOfHeader, invalidFrame } from "../ima-adpcm.ts";

const maxBlockBytes = 0xffff;

/** Samples per channel in a block of `bytes` bytes; 0 if that is no valid size. */
export function wavAdpcmSamples(bytes: number, channels: number): number {
  if (bytes < channelHeaderBytes * channels || bytes > maxBlockBytes) return 0;
  const nibbleBytes = bytes - channelHeaderBytes * channels;
  return 1 + (channels === 1 ? nibbleBytes * 2 : Math.floor(nibbleBytes / (4 * channels)) * 8);
}

/** The samples of one block, interleaved; undefined if it cannot be decoded. */
export function decodeWavAdpcmBlock(block: Uint8Array, channels: number): Int16Array | undefined {
  const samples = wavAdpcmSamples(block.length, channels);
  if (samples === 0) return undefined;
  const out = new Int16Array(samples * channels);
  const decoder = new AdpcmDecoder(channels, samples - 1);
  if (decoder.decode(block, 0, block.length, out, channels) === invalidFrame) return undefined;
  for (let channel = 0; channel < channels; channel++) {
    out[channel] = coderOfHeader(block, channel * channelHeaderBytes) >> 8;
  }
  return out;
}
