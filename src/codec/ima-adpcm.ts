/**
 * IMA ADPCM: 16-bit audio at 4 bits a sample, about a quarter of the size.
 *
 * -- Format
 *
 * A frame begins with a header of 4 bytes per channel, the coder's state before the first sample. The nibbles follow:
 *
 *     struct {
 *       struct {
 *         i16 predictor;     // little-endian; the sample before the frame, which is not part of it
 *         u8  stepIndex;     // 0..88
 *         u8  ignored;
 *       } header[channels];
 *       u8 nibbles[];        // mono: two samples per byte
 *                            // more channels: 4 bytes (8 samples) of each channel in turn
 *     }
 *
 * A byte holds two consecutive samples of one channel. Coders disagree on their order: `low` has the first sample in
 * bits 0..3 (the specification, WAVE format 0x11), `high` in bits 4..7 (Python's audioop).
 *
 * A nibble is a sign (bit 3) and a magnitude m (bits 0..2). With step = steps[stepIndex]:
 *
 *     difference = step>>3 + (m & 4 ? step : 0) + (m & 2 ? step>>1 : 0) + (m & 1 ? step>>2 : 0)
 *     predictor  = clamp(predictor +/- difference, -32768, 32767)        the sample
 *     stepIndex  = clamp(stepIndex + adjustments[m], 0, 88)
 *
 * This sum of shifts is that of the specification, audioop and SoX. FFmpeg computes ((2 * m + 1) * step) >> 3, which
 * rounds differently and ends a frame in a slightly different state.
 *
 * A decoder must accept any nibbles and a frame of any length. With several channels it ignores bytes that do not
 * fill a word of every channel. Only a missing header or a stepIndex above 88 makes a frame invalid.
 *
 * Sources: IMA, Recommended Practices for Enhancing Digital Audio Compatibility in Multimedia Systems, revision
 * 3.00, 1992, section 6; Microsoft, New Multimedia Data Types and Data Techniques, 1994, "IMA ADPCM Wave Type".
 */

import {
  type NibbleOrder,
  decodeMonoHigh,
  decodeMonoLow,
  decodeNibbles,
  decodeStereoHigh,
  decodeStereoLow,
  encodeNibbles,
  maxStepIndex,
} from "./ima-adpcm-loops.ts";

export type { NibbleOrder } from "./ima-adpcm-loops.ts";

/** Bytes of the header of one channel. */
export const channelHeaderBytes = 4;

/** The result of `decode` for a frame shorter than its headers or with a step index above 88. */
export const invalidFrame = -1;

/** Bytes of a coded frame of `samples` samples per channel, including its headers. */
export function adpcmFrameBytes(samples: number, channels: number): number {
  const nibbleBytes = channels === 1 ? (samples + 1) >> 1 : ((samples + 7) >> 3) * 4 * channels;
  return channelHeaderBytes * channels + nibbleBytes;
}

/**
 * Samples per channel in a frame of `bytes` bytes from a coder with frames of `frameSamples` samples. Every nibble is a
 * sample, except for the padding in the last byte or word of a full frame.
 */
export function adpcmSamples(bytes: number, channels: number, frameSamples: number): number {
  if (bytes < channelHeaderBytes * channels) return 0;
  if (bytes === adpcmFrameBytes(frameSamples, channels)) return frameSamples;
  const nibbleBytes = bytes - channelHeaderBytes * channels;
  return channels === 1 ? nibbleBytes * 2 : Math.floor(nibbleBytes / (4 * channels)) * 8;
}

/** Whether every channel has a whole header with a step index of at most 88. */
export function areHeadersValid(source: Uint8Array, at: number, bytes: number, channels: number): boolean {
  if (bytes < channelHeaderBytes * channels) return false;
  for (let channel = 0; channel < channels; channel++) {
    if (source[at + channel * channelHeaderBytes + 2]! > maxStepIndex) return false;
  }
  return true;
}

/**
 * Decodes the frames of one stream. `state` holds the predictor and the step index of each channel in turn, after the
 * last decoded sample. `order` may change between frames.
 */
export class AdpcmDecoder {
  readonly channels: number;
  readonly frameSamples: number;
  readonly state: Int32Array;
  order: NibbleOrder;

  constructor(channels: number, frameSamples: number, order: NibbleOrder = "low") {
    this.channels = channels;
    this.frameSamples = frameSamples;
    this.state = new Int32Array(2 * channels);
    this.order = order;
  }

  /**
   * Decodes the frame of `bytes` bytes at `source[at]` to interleaved samples at `out[outAt]`. Returns the samples per
   * channel, `adpcmSamples(bytes, channels, frameSamples)`; the caller makes room for them. Returns `invalidFrame`
   * without any change for a frame shorter than its headers or with a step index above 88.
   */
  decode(source: Uint8Array, at: number, bytes: number, out: Int16Array, outAt: number): number {
    const { channels } = this;
    if (!areHeadersValid(source, at, bytes, channels)) return invalidFrame;
    const samples = adpcmSamples(bytes, channels, this.frameSamples);
    if (at + bytes > source.length) throw new RangeError("frame ends past its buffer");
    if (outAt + samples * channels > out.length) throw new RangeError("no room for the samples of a frame");
    if (channels === 1) this.decodeMono(source, at, samples, out, outAt);
    else if (channels === 2) this.decodeStereo(source, at, samples, out, outAt);
    else this.decodeWords(source, at, samples, 0, out, outAt);
    return samples;
  }

  private decodeMono(source: Uint8Array, at: number, samples: number, out: Int16Array, outAt: number): void {
    const coder = coderOfHeader(source, at);
    const from = at + channelHeaderBytes;
    const to = from + (samples >> 1);
    const loop = this.order === "low" ? decodeMonoLow : decodeMonoHigh;
    const after = loop(source, from, to, coder >> 8, coder & 0xff, out, outAt);
    const last = decodeNibbles(source, to, samples & 1, this.order, after, out, outAt + samples - 1, 1);
    storeCoder(this.state, 0, last);
  }

  private decodeStereo(
    source: Uint8Array,
    at: number,
    samples: number,
    out: Int16Array,
    outAt: number,
  ): void {
    storeCoder(this.state, 0, coderOfHeader(source, at));
    storeCoder(this.state, 1, coderOfHeader(source, at + channelHeaderBytes));
    const from = at + 2 * channelHeaderBytes;
    const loop = this.order === "low" ? decodeStereoLow : decodeStereoHigh;
    loop(source, from, from + (samples >> 3) * 8, out, outAt, this.state);
    this.decodeWords(source, at, samples, samples & ~7, out, outAt);
  }

  /** Decodes the samples of all channels word by word, from sample `first`, a multiple of 8. */
  private decodeWords(
    source: Uint8Array,
    at: number,
    samples: number,
    first: number,
    out: Int16Array,
    outAt: number,
  ): void {
    const { channels, order, state } = this;
    for (let channel = 0; channel < channels; channel++) {
      let coder =
        first === 0 ? coderOfHeader(source, at + channel * channelHeaderBytes) : coderAt(state, channel);
      for (let sample = first; sample < samples; sample += 8) {
        const word = at + channels * (channelHeaderBytes + (sample >> 1)) + channel * 4;
        const count = Math.min(8, samples - sample);
        coder = decodeNibbles(
          source,
          word,
          count,
          order,
          coder,
          out,
          outAt + sample * channels + channel,
          channels,
        );
      }
      storeCoder(state, channel, coder);
    }
  }
}

/**
 * Encodes one stream into consecutive frames. `state` holds the predictor and the step index of each channel in turn,
 * after the last encoded sample; a stream begins with zeros.
 */
export class AdpcmEncoder {
  readonly channels: number;
  readonly order: NibbleOrder;
  readonly state: Int32Array;

  constructor(channels: number, order: NibbleOrder = "low") {
    this.channels = channels;
    this.order = order;
    this.state = new Int32Array(2 * channels);
  }

  /**
   * Encodes `samples` samples per channel, interleaved at `source[at]`, to a frame at `out[outAt]`. Returns its bytes,
   * `adpcmFrameBytes(samples, channels)`; the caller makes room for them. The last byte or word is padded with zero
   * nibbles, which do not change the state.
   */
  encode(source: Int16Array, at: number, samples: number, out: Uint8Array, outAt: number): number {
    const { channels, order, state } = this;
    const bytes = adpcmFrameBytes(samples, channels);
    if (at + samples * channels > source.length) throw new RangeError("frame ends past its samples");
    if (outAt + bytes > out.length) throw new RangeError("no room for the bytes of a frame");
    out.fill(0, outAt, outAt + bytes);
    for (let channel = 0; channel < channels; channel++) {
      const coder = coderAt(state, channel);
      storeHeader(out, outAt + channel * channelHeaderBytes, coder);
      const nibbles = outAt + channels * channelHeaderBytes + channel * 4;
      const skip = 4 * (channels - 1);
      const after = encodeNibbles(source, at + channel, channels, samples, order, coder, out, nibbles, skip);
      storeCoder(state, channel, after);
    }
    return bytes;
  }
}

/** The state of one channel as one number: `predictor << 8 | stepIndex`. */
export function coderOfHeader(source: Uint8Array, at: number): number {
  const predictor = ((source[at]! | (source[at + 1]! << 8)) << 16) >> 16;
  return (predictor << 8) | source[at + 2]!;
}

function coderAt(state: Int32Array, channel: number): number {
  return (state[2 * channel]! << 8) | state[2 * channel + 1]!;
}

function storeCoder(state: Int32Array, channel: number, coder: number): void {
  state[2 * channel] = coder >> 8;
  state[2 * channel + 1] = coder & 0xff;
}

function storeHeader(out: Uint8Array, at: number, coder: number): void {
  out[at] = coder >> 8;
  out[at + 1] = coder >> 16;
  out[at + 2] = coder;
  out[at + 3] = 0;
}
