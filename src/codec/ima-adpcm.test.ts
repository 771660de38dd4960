import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  AdpcmDecoder,
  AdpcmEncoder,
  adpcmFrameBytes,
  adpcmSamples,
  invalidFrame,
  type NibbleOrder,
} from "./ima-adpcm.ts";

const golden = new URL("../../data/golden/", import.meta.url);
const orders = fc.constantFrom<NibbleOrder>("low", "high");
const channelCounts = fc.integer({ min: 1, max: 5 });

async function goldenBytes(name: string): Promise<Uint8Array<ArrayBuffer>> {
  return Bun.file(new URL(`${name}.adpcm`, golden)).bytes();
}

async function goldenSamples(name: string): Promise<Int16Array> {
  return new Int16Array(await Bun.file(new URL(`${name}.s16le`, golden)).arrayBuffer());
}

/** A frame with each pair of nibbles exchanged: the same audio in the other order. */
function flipNibbles(frame: Uint8Array, channels: number): Uint8Array {
  return frame.map((byte, at) => (at < 4 * channels ? byte : ((byte << 4) | (byte >> 4)) & 0xff));
}

function framesOf(bytes: Uint8Array<ArrayBuffer>, frameBytes: number): Uint8Array<ArrayBuffer>[] {
  return Array.from({ length: bytes.length / frameBytes }, (_, frame) =>
    bytes.slice(frame * frameBytes, (frame + 1) * frameBytes),
  );
}

function decodeFrame(decoder: AdpcmDecoder, frame: Uint8Array): Int16Array {
  const out = new Int16Array(
    adpcmSamples(frame.length, decoder.channels, decoder.frameSamples) * decoder.channels,
  );
  expect(decoder.decode(frame, 0, frame.length, out, 0)).toBe(out.length / decoder.channels);
  return out;
}

const steps = [
  7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 21, 23, 25, 28, 31, 34, 37, 41, 45, 50, 55, 60, 66, 73, 80, 88, 97,
  107, 118, 130, 143, 157, 173, 190, 209, 230, 253, 279, 307, 337, 371, 408, 449, 494, 544, 598, 658, 724,
  796, 876, 963, 1060, 1166, 1282, 1411, 1552, 1707, 1878, 2066, 2272, 2499, 2749, 3024, 3327, 3660, 4026,
  4428, 4871, 5358, 5894, 6484, 7132, 7845, 8630, 9493, 10442, 11487, 12635, 13899, 15289, 16818, 18500,
  20350, 22385, 24623, 27086, 29794, 32767,
];

/** The format's formula without any table of ours, one channel, one nibble. */
function stepOnce(coder: { predictor: number; index: number }, nibble: number): void {
  const step = steps[coder.index]!;
  let difference = step >> 3;
  if ((nibble & 4) !== 0) difference += step;
  if ((nibble & 2) !== 0) difference += step >> 1;
  if ((nibble & 1) !== 0) difference += step >> 2;
  const value = coder.predictor + ((nibble & 8) === 0 ? difference : -difference);
  coder.predictor = Math.max(-32768, Math.min(32767, value));
  coder.index = Math.max(0, Math.min(88, coder.index + [-1, -1, -1, -1, 2, 4, 6, 8][nibble & 7]!));
}

/** A frame decoded by the formula: interleaved samples, the step before each, and the state after all. */
function decodeByFormula(frame: Uint8Array, channels: number, samples: number, order: NibbleOrder) {
  const view = new DataView(frame.buffer, frame.byteOffset);
  const out = new Int16Array(samples * channels);
  const stepsBefore = new Int32Array(samples * channels);
  const state: number[] = [];
  for (let channel = 0; channel < channels; channel++) {
    const coder = { predictor: view.getInt16(channel * 4, true), index: frame[channel * 4 + 2]! };
    for (let sample = 0; sample < samples; sample++) {
      const word =
        channels === 1 ? sample >> 1 : (sample >> 3) * 4 * channels + channel * 4 + ((sample & 7) >> 1);
      const byte = frame[channels * 4 + word]!;
      stepsBefore[sample * channels + channel] = steps[coder.index]!;
      const isLow = (sample % 2 === 0) === (order === "low");
      stepOnce(coder, isLow ? byte & 15 : byte >> 4);
      out[sample * channels + channel] = coder.predictor;
    }
    state.push(coder.predictor, coder.index);
  }
  return { out, stepsBefore, state };
}

describe("golden vectors of other coders:", () => {
  test("frames of audioop, high nibble first, decode to its samples and end in its states", async () => {
    const frames = framesOf(await goldenBytes("audioop-high"), 164);
    const samples = await goldenSamples("audioop-high");
    const decoder = new AdpcmDecoder(1, 320, "high");
    expect(frames.length).toBe(25);
    for (const [number, frame] of frames.entries()) {
      expect(decodeFrame(decoder, frame)).toEqual(samples.slice(number * 320, (number + 1) * 320));
      const next = frames[number + 1];
      if (next !== undefined) {
        const predictor = new DataView(next.buffer).getInt16(0, true);
        expect([...decoder.state]).toEqual([predictor, next[2]!]);
      }
    }
  });

  for (const order of ["high", "low"] as const) {
    test(`random nibbles from every step index decode to audioop's samples, ${order} first`, async () => {
      const frames = framesOf(await goldenBytes("random-high"), 44);
      const samples = await goldenSamples("random-high");
      const decoder = new AdpcmDecoder(1, 80, order);
      expect(frames.length).toBe(178);
      for (const [number, frame] of frames.entries()) {
        const spelled = order === "high" ? frame : flipNibbles(frame, 1);
        expect(decodeFrame(decoder, spelled)).toEqual(samples.slice(number * 80, (number + 1) * 80));
      }
    });
  }

  test("audioop's samples encode to audioop's frames, high nibble first", async () => {
    const encoder = new AdpcmEncoder(1, "high");
    const pcm = await goldenSamples("input-mono");
    const out = new Uint8Array(164);
    for (const [number, frame] of framesOf(await goldenBytes("audioop-high"), 164).entries()) {
      expect(encoder.encode(pcm, number * 320, 320, out, 0)).toBe(164);
      expect(out).toEqual(frame);
    }
  });

  const soxFiles = [
    { name: "sox-mono-low", channels: 1, blockBytes: 256, blocks: 20 },
    { name: "sox-stereo-low", channels: 2, blockBytes: 512, blocks: 17 },
  ];
  for (const { name, channels, blockBytes, blocks } of soxFiles) {
    test(`blocks of ${name} decode to sox's samples, whose first is the predictor of the header`, async () => {
      const frames = framesOf(await goldenBytes(name), blockBytes);
      const samples = await goldenSamples(name);
      const decoder = new AdpcmDecoder(channels, 504, "low");
      expect(frames.length).toBe(blocks);
      for (const [number, frame] of frames.entries()) {
        const start = (number * 505 + 1) * channels;
        expect(decodeFrame(decoder, frame)).toEqual(samples.slice(start, start + 504 * channels));
        const view = new DataView(frame.buffer);
        const predictors = Array.from({ length: channels }, (_, channel) => view.getInt16(channel * 4, true));
        expect(samples.slice(start - channels, start)).toEqual(Int16Array.from(predictors));
      }
    });
  }
});

describe("the decoder", () => {
  test("decodes any bytes as the formula says, writes nothing else and never throws", () => {
    const frame = fc.uint8Array({ maxLength: 160, size: "max" });
    const indices = fc.integer({ min: 0, max: 90 });
    fc.assert(
      fc.property(
        frame,
        channelCounts,
        orders,
        indices,
        fc.nat(60),
        (bytes, channels, order, index, frameSamples) => {
          for (let at = 2; at < Math.min(bytes.length, channels * 4); at += 4) bytes[at] = index;
          const decoder = new AdpcmDecoder(channels, frameSamples, order);
          const samples = adpcmSamples(bytes.length, channels, frameSamples);
          const out = new Int16Array(samples * channels + 8).fill(12345);
          const decoded = decoder.decode(bytes, 0, bytes.length, out, 3);
          if (index > 88 || bytes.length < channels * 4) {
            expect(decoded).toBe(invalidFrame);
            expect(out.every((sample) => sample === 12345)).toBe(true);
            expect(decoder.state.every((value) => value === 0)).toBe(true);
            return;
          }
          const expected = decodeByFormula(bytes, channels, samples, order);
          expect(decoded).toBe(samples);
          expect(out.slice(3, 3 + samples * channels)).toEqual(expected.out);
          out.fill(12345, 3, 3 + samples * channels);
          expect(out.every((sample) => sample === 12345)).toBe(true);
          expect([...decoder.state]).toEqual(expected.state);
        },
      ),
      { numRuns: 500 },
    );
  });

  test("clamps at both ends of the range", () => {
    const decoder = new AdpcmDecoder(1, 8);
    expect([...decodeFrame(decoder, Uint8Array.of(0, 0, 88, 0, 0x77, 0x77, 0x77, 0x77))]).toEqual(
      Array(8).fill(32767),
    );
    expect([...decodeFrame(decoder, Uint8Array.of(0, 0, 88, 0, 0xff, 0xff, 0xff, 0xff))]).toEqual(
      Array<number>(8).fill(-32768),
    );
  });

  test("reads at an offset, with other bytes around the frame", () => {
    const bytes = Uint8Array.of(9, 9, 9, 232, 3, 10, 77, 0x21, 0x43, 9);
    const out = new Int16Array(6);
    expect(new AdpcmDecoder(1, 4).decode(bytes, 3, 6, out, 1)).toBe(4);
    expect(out.slice(1, 5)).toEqual(decodeByFormula(bytes.slice(3, 9), 1, 4, "low").out);
  });

  test("drops the padding nibbles of a frame, and only those", () => {
    expect(adpcmSamples(adpcmFrameBytes(321, 1), 1, 321)).toBe(321);
    expect(adpcmSamples(adpcmFrameBytes(100, 2), 2, 100)).toBe(100);
    expect(adpcmSamples(4 + 160 + 16, 1, 320)).toBe(352);
    expect(adpcmSamples(4 + 10, 1, 320)).toBe(20);
    expect(adpcmSamples(8 + 8 + 7, 2, 320)).toBe(8);
    expect(adpcmSamples(4, 1, 320)).toBe(0);
    expect(adpcmSamples(3, 1, 320)).toBe(0);
  });

  test("refuses buffers that are too small", () => {
    const decoder = new AdpcmDecoder(1, 320);
    expect(() => decoder.decode(new Uint8Array(164), 0, 164, new Int16Array(319), 0)).toThrow(RangeError);
    expect(() => decoder.decode(new Uint8Array(164), 1, 164, new Int16Array(320), 0)).toThrow(RangeError);
  });
});

describe("the encoder", () => {
  test("and the decoder end in the same state, and stay within the coder's error at each sample", () => {
    const pcm = fc.int16Array({ minLength: 200, maxLength: 400, size: "max" });
    const frameLengths = fc.integer({ min: 1, max: 40 });
    fc.assert(
      fc.property(
        pcm,
        fc.nat(15),
        channelCounts,
        orders,
        frameLengths,
        (noise, quieter, channels, order, length) => {
          const samples = noise.map((sample) => sample >> quieter);
          const encoder = new AdpcmEncoder(channels, order);
          const decoder = new AdpcmDecoder(channels, length, order);
          const frame = new Uint8Array(adpcmFrameBytes(length, channels));
          for (let at = 0; at + length * channels <= samples.length; at += length * channels) {
            expect(encoder.encode(samples, at, length, frame, 0)).toBe(frame.length);
            expect(decodeFrame(decoder, frame)).toEqual(decodeByFormula(frame, channels, length, order).out);
            expect(decoder.state).toEqual(encoder.state);
            expectWithinError(samples.slice(at, at + length * channels), frame, channels, order);
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  test("encodes a stream alike whatever the lengths of its frames", async () => {
    const pcm = await goldenSamples("input-mono");
    const whole = new Uint8Array(adpcmFrameBytes(pcm.length, 1));
    new AdpcmEncoder(1, "low").encode(pcm, 0, pcm.length, whole, 0);
    const pieces = new AdpcmEncoder(1, "low");
    const nibbles: number[] = [];
    for (let at = 0; at < pcm.length; at += 80) {
      const piece = new Uint8Array(44);
      pieces.encode(pcm, at, 80, piece, 0);
      nibbles.push(...piece.slice(4));
    }
    expect(Uint8Array.from(nibbles)).toEqual(whole.slice(4));
  });

  test("refuses buffers that are too small", () => {
    const encoder = new AdpcmEncoder(2);
    expect(() => encoder.encode(new Int16Array(15), 0, 8, new Uint8Array(16), 0)).toThrow(RangeError);
    expect(() => encoder.encode(new Int16Array(16), 0, 8, new Uint8Array(15), 0)).toThrow(RangeError);
  });
});

/**
 * An eighth of the step for what lies in reach of the nibble (and the rounding of three shifts), else what is
 * missing to the sample; the step is the one before the sample.
 */
function expectWithinError(pcm: Int16Array, frame: Uint8Array, channels: number, order: NibbleOrder): void {
  const { out, stepsBefore } = decodeByFormula(frame, channels, pcm.length / channels, order);
  const view = new DataView(frame.buffer);
  for (const [at, wanted] of pcm.entries()) {
    const before = at < channels ? view.getInt16(at * 4, true) : out[at - channels]!;
    const step = stepsBefore[at]!;
    const missing = Math.abs(wanted - before) - step - (step >> 1) - (step >> 2) - (step >> 3);
    expect(Math.abs(wanted - out[at]!)).toBeLessThanOrEqual(Math.max((step >> 3) + 3, missing));
  }
}
