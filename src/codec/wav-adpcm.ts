/**
 * WAV with IMA ADPCM (format 0x11): blocks of equal size, of which the last may be shorter. A block is a frame of
 * `ima-adpcm.ts` with the low nibble first, but here the predictor of its header is the first sample of the block.
 *
 * The format chunk is as in `wav.ts` with 4 bits a sample; `frameBytes` there is the size of a block.
 *
 * Source: Microsoft, New Multimedia Data Types and Data Techniques, 1994, "IMA ADPCM Wave Type".
 */
import { AdpcmDecoder, channelHeaderBytes, coderOfHeader, invalidFrame } from "./ima-adpcm.ts";
import { maxWavChannels, parseRiff, type RiffHead } from "./wav.ts";

export interface WavAdpcmFormat {
  /** In Hz, at least 1. */
  sampleRate: number;
  /** 1 to `maxWavChannels`. */
  channels: number;
  blockBytes: number;
  /** The end of the audio may be in the middle of a block. */
  frameBytes: 1;
}

const tagImaAdpcm = 0x11;
const maxBlockBytes = 0xffff;

/** Like `parseWavHead`; refuses files of any other format. Never throws. */
export function parseWavAdpcmHead(head: Uint8Array, fileBytes?: number): RiffHead<WavAdpcmFormat> {
  return parseRiff(head, fileBytes, parseFormat);
}

function parseFormat(view: DataView, at: number, bytes: number): WavAdpcmFormat | string {
  if (bytes < 16) return "the format of the WAV file is cut off";
  if (view.getUint16(at, true) !== tagImaAdpcm || view.getUint16(at + 14, true) !== 4) {
    return "the WAV file is not IMA ADPCM of 4 bits";
  }
  const channels = view.getUint16(at + 2, true);
  const sampleRate = view.getUint32(at + 4, true);
  const blockBytes = view.getUint16(at + 12, true);
  if (channels < 1 || channels > maxWavChannels || sampleRate < 1 || blockBytes < 8 * channels) {
    return "the format of the WAV file is invalid";
  }
  return { sampleRate, channels, blockBytes, frameBytes: 1 };
}

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
