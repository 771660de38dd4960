import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { type Level, meanSquareOf, peakDbfs, rmsDbfs, silenceDbfs } from "./level.ts";
import { PeakMeter } from "./peak-meter.ts";

const golden = new URL("../../../data/golden/input-mono.s16le", import.meta.url);
const speech = new Int16Array(await Bun.file(golden).arrayBuffer());

class Collected {
  readonly pixels: number[][] = [];
  readonly blocks: Level[] = [];
  pixel(values: Int16Array): void {
    this.pixels.push([...values]);
  }
  block(level: Level): void {
    this.blocks.push({ ...level });
  }
}

/** Pieces of these many frames, of one channel. */
function pieces<T>(pcm: ArrayLike<T>, frames: number, channels: number): T[][] {
  const all = Array.from(pcm);
  const size = frames * channels;
  return Array.from({ length: Math.ceil(all.length / size) }, (_, at) =>
    all.slice(at * size, (at + 1) * size),
  );
}

/** The pixels by an offline pass. */
function expectedPixels(pcm: Int16Array, channels: number): number[][] {
  return pieces(pcm, 256, channels).map((piece) =>
    Array.from({ length: channels }, (_, channel) => {
      const own = piece.filter((_, at) => at % channels === channel);
      return [Math.min(...own), Math.max(...own)];
    }).flat(),
  );
}

function expectedLevel(pcm: ArrayLike<number>): Level {
  const all = Array.from(pcm);
  return {
    peak: all.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0),
    meanSquare: all.reduce((sum, sample) => sum + sample * sample, 0) / all.length,
    clipped: all.filter((sample) => sample === 32_767 || sample === -32_768).length,
  };
}

const loud = speech.map((sample) => Math.max(-32_768, Math.min(32_767, sample * 8)));

describe("a peak meter", () => {
  test("finds the same as an offline pass, however the audio is cut", () => {
    const property = fc.property(
      fc.constantFrom(speech, loud),
      fc.constantFrom(1, 2, 3),
      fc.constantFrom(8000, 11_025, 16_000),
      fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 20 }),
      (source, channels, sampleRate, cuts) => {
        const found = new Collected();
        const meter = new PeakMeter(channels, sampleRate, found);
        const maxFrames = Math.floor(source.length / channels);
        let done = 0;
        for (const frames of cuts) {
          const taken = Math.min(frames, maxFrames - done);
          meter.push(source, done * channels, taken);
          done += taken;
        }
        const pcm = source.subarray(0, done * channels);
        const level = meter.endPart();
        expect(found.pixels).toEqual(expectedPixels(pcm, channels));
        const blocks = pieces(pcm, Math.round(sampleRate / 10), channels).map(expectedLevel);
        expect(found.blocks).toEqual(blocks);
        expect(level).toEqual({
          ...expectedLevel(pcm),
          meanSquare: expect.closeTo(expectedLevel(pcm).meanSquare, 3),
        });
      },
    );
    fc.assert(property, { numRuns: 60 });
  });

  test("begins anew after the end of a part", () => {
    const found = new Collected();
    const meter = new PeakMeter(1, 16_000, found);
    meter.push(Int16Array.of(-32_768, 5), 0, 2);
    expect(meter.endPart()).toMatchObject({ peak: 32_768, clipped: 1 });
    meter.push(Int16Array.of(7, -3), 0, 2);
    expect(meter.endPart()).toEqual({ peak: 7, meanSquare: 29, clipped: 0 });
    expect(meter.endPart()).toEqual({ peak: 0, meanSquare: 0, clipped: 0 });
    expect(found.pixels).toEqual([
      [-32_768, 5],
      [-3, 7],
    ]);
  });
});

const level = (peak: number, meanSquare: number): Level => ({ peak, meanSquare, clipped: 0 });

describe("levels", () => {
  test("are in dBFS, and a square wave of full scale has 0", () => {
    expect(peakDbfs(level(32_768, 0))).toBe(0);
    expect(rmsDbfs(level(0, 2 ** 30))).toBe(0);
    expect(peakDbfs(level(1, 0))).toBeCloseTo(-90.31, 2);
    expect(rmsDbfs(level(0, 2 ** 29))).toBeCloseTo(-3.01, 2);
    expect(meanSquareOf(-50)).toBeCloseTo(10_737.418, 3);
  });

  test("of digital silence have a number too", () => {
    expect(peakDbfs(level(0, 0))).toBe(silenceDbfs);
    expect(rmsDbfs(level(0, 0))).toBe(silenceDbfs);
    expect(rmsDbfs(level(1, 1e-9))).toBe(silenceDbfs);
  });
});
