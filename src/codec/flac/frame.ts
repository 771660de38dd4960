/**
 * Decodes the frames of FLAC.
 *
 * -- Format of a frame
 *
 *     header, a subframe for each channel, zeros up to a whole byte, CRC-16 of all before it
 *
 * -- Format of a subframe (highest bit first)
 *
 *     zero : 1
 *     type : 6    0 constant, 1 verbatim, 8 to 12 fixed predictor of order 0 to 4, 32 to 63 linear predictor of order 1 to 32
 *     wasted bits : 1, and if it is set their number minus 1 in unary: low bits that are zero in all samples
 *
 *     constant : one sample
 *     verbatim : all samples
 *     fixed    : the first samples, as many as the order, then the residual
 *     linear   : the first samples, bits of a coefficient - 1 : 4, shift : 5 signed, the coefficients, then the residual
 *
 *     residual : bits of a Rice parameter (0: 4, 1: 5) : 2, partitions as a power of two : 4, then each partition: its
 *                parameter, and its residuals; a parameter of ones is an escape: bits of a residual : 5, then residuals
 *
 * All numbers are doubles: a side channel of 32-bit samples has 33 bits, and a prediction of them fits into 53.
 *
 * Source: RFC 9639, section 9.2.
 */
import { BitReader, BitsExhaustedError } from "./bits.ts";
import { crc16 } from "./crc.ts";
import type { FlacHeader } from "./flac.ts";

export interface FlacFrame {
  /** A plane of samples for each channel; the next call of `decode` overwrites them. */
  planes: Float64Array[];
  /** Of the whole frame. */
  bytes: number;
}

const maxBlockSamples = 65_536;

/** Coefficients of the fixed predictors, by order. */
const fixedCoefficients = [[], [1], [2, -1], [3, -3, 1], [4, -6, 4, -1]] as const;

class DamagedError extends Error {}

export class FlacDecoder {
  /** Of each channel that was seen. */
  readonly #planes: Float64Array[] = [];

  /** Decodes the frame at `source[at]`. "cut" if the source ends before the frame does, "damaged" if it is none. */
  decode(source: Uint8Array, at: number, header: FlacHeader): FlacFrame | "cut" | "damaged" {
    const reader = new BitReader(source, at + header.bytes);
    try {
      const planes = Array.from({ length: header.channels }, (_, channel) => {
        const plane = this.#plane(channel).subarray(0, header.samples);
        decodeSubframe(reader, bitsOf(header, channel), plane);
        return plane;
      });
      const crcAt = reader.nextByte;
      if (crcAt + 2 > source.length) return "cut";
      const crc = (source[crcAt]! << 8) | source[crcAt + 1]!;
      if (crc16(source, at, crcAt) !== crc) return "damaged";
      separate(planes, header.stereo);
      return { planes, bytes: crcAt + 2 - at };
    } catch (error) {
      if (error instanceof BitsExhaustedError) return "cut";
      if (error instanceof DamagedError) return "damaged";
      throw error;
    }
  }

  #plane(channel: number): Float64Array {
    return (this.#planes[channel] ??= new Float64Array(maxBlockSamples));
  }
}

/** Of a sample of this channel: that of a difference has one more. */
function bitsOf({ stereo, bits }: FlacHeader, channel: number): number {
  const side = stereo === "side-right" ? 0 : stereo === "independent" ? undefined : 1;
  return channel === side ? bits + 1 : bits;
}

function decodeSubframe(reader: BitReader, bits: number, out: Float64Array): void {
  const head = reader.read(8);
  const type = head >> 1;
  const wasted = (head & 1) === 0 ? 0 : reader.readUnary() + 1;
  const used = bits - wasted;
  if (type >= 64 || used <= 0) throw new DamagedError();
  if (type === 0) out.fill(reader.readSigned(used));
  else if (type === 1) readSamples(reader, used, out, out.length);
  else if (type >= 8 && type <= 12) decodeFixed(reader, used, out, type - 8);
  else if (type >= 32) decodeLinear(reader, used, out, type - 31);
  else throw new DamagedError();
  if (wasted > 0) scale(out, 2 ** wasted);
}

function readSamples(reader: BitReader, bits: number, out: Float64Array, count: number): void {
  if (count > out.length) throw new DamagedError();
  for (let at = 0; at < count; at++) out[at] = reader.readSigned(bits);
}

function decodeFixed(reader: BitReader, bits: number, out: Float64Array, order: number): void {
  readSamples(reader, bits, out, order);
  readResidual(reader, out, order);
  predict(out, fixedCoefficients[order]!, 1);
}

function decodeLinear(reader: BitReader, bits: number, out: Float64Array, order: number): void {
  readSamples(reader, bits, out, order);
  const precision = reader.read(4) + 1;
  const shift = reader.readSigned(5);
  if (precision === 16 || shift < 0) throw new DamagedError();
  const coefficients = Array.from({ length: order }, () => reader.readSigned(precision));
  readResidual(reader, out, order);
  predict(out, coefficients, 2 ** shift);
}

/** Reads the residuals of all samples behind the first `order` ones, to where these samples will be. */
function readResidual(reader: BitReader, out: Float64Array, order: number): void {
  const method = reader.read(2);
  if (method > 1) throw new DamagedError();
  const parameterBits = 4 + method;
  const escape = 2 ** parameterBits - 1;
  const partitions = 2 ** reader.read(4);
  const length = out.length / partitions;
  if (!Number.isInteger(length) || length < order) throw new DamagedError();
  for (let partition = 0; partition < partitions; partition++) {
    const from = partition === 0 ? order : partition * length;
    const to = (partition + 1) * length;
    const parameter = reader.read(parameterBits);
    if (parameter < escape) reader.readRice(parameter, out, from, to);
    else readEscaped(reader, out, from, to);
  }
}

function readEscaped(reader: BitReader, out: Float64Array, from: number, to: number): void {
  const bits = reader.read(5);
  for (let at = from; at < to; at++) out[at] = reader.readSigned(bits);
}

/** Adds to each residual what the samples before it predict. The divisor is a power of two, so the factors are exact. */
function predict(out: Float64Array, coefficients: readonly number[], divisor: number): void {
  const order = coefficients.length;
  const factors = Float64Array.from(coefficients, (coefficient) => coefficient / divisor);
  for (let at = order; at < out.length; at++) {
    let sum = 0;
    for (let back = 0; back < order; back++) sum += factors[back]! * out[at - 1 - back]!;
    out[at] = out[at]! + Math.floor(sum);
  }
}

function scale(out: Float64Array, factor: number): void {
  for (let at = 0; at < out.length; at++) out[at] = out[at]! * factor;
}

/** Turns channels that hold a difference into left and right. */
function separate([first, second]: Float64Array[], stereo: FlacHeader["stereo"]): void {
  if (stereo === "independent" || first === undefined || second === undefined) return;
  for (let at = 0; at < first.length; at++) {
    const [a, b] = [first[at]!, second[at]!];
    if (stereo === "left-side") second[at] = a - b;
    else if (stereo === "side-right") first[at] = a + b;
    else {
      // The middle has lost its lowest bit, which is that of the difference.
      const sum = 2 * a + Math.abs(b % 2);
      first[at] = (sum + b) / 2;
      second[at] = (sum - b) / 2;
    }
  }
}
