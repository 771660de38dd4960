import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { silenceDbfs } from "./level.ts";
import { LevelPoints } from "./level-points.ts";
import {
  dbfsOfCode,
  decodeLevels,
  encodeLevel,
  encodeLevelsHeader,
  isClippingCode,
  levelBlockFrames,
} from "./levels.ts";

function codesOf(peak: number, meanSquare: number, clipped = 0): [rms: number, peak: number] {
  const out = new Uint8Array(2);
  encodeLevel({ peak, meanSquare, clipped }, out, 0);
  return [out[0]!, out[1]!];
}

describe("a level of a file", () => {
  test("is right to a quarter of a decibel, from a single bit to full scale", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 32_768 }), (amplitude) => {
        const [rms, peak] = codesOf(amplitude, amplitude ** 2);
        const dbfs = 20 * Math.log10(amplitude / 32_768);
        for (const code of [rms, peak]) expect(Math.abs(dbfsOfCode(code) - dbfs)).toBeLessThanOrEqual(0.25);
      }),
    );
  });

  test("tells digital silence from the quietest sound, and clipping from full scale", () => {
    expect(codesOf(0, 0)).toEqual([0, 0]);
    expect(dbfsOfCode(0)).toBe(silenceDbfs);
    expect(codesOf(1, 1e-9)[0]).toBe(0);
    expect(codesOf(32_768, 2 ** 30, 2)).toEqual([254, 254]);
    expect(codesOf(32_768, 2 ** 30, 3)).toEqual([254, 255]);
    expect([254, 255].map(isClippingCode)).toEqual([false, true]);
    expect(dbfsOfCode(255)).toBe(0);
  });

  test("is read from a whole file alone", () => {
    const file = Buffer.concat([encodeLevelsHeader(8_000, 2), Uint8Array.of(1, 2, 3, 4)]);
    expect(decodeLevels(file)).toEqual({ sampleRate: 8_000, codes: expect.anything() });
    expect([...decodeLevels(file)!.codes]).toEqual([1, 2, 3, 4]);
    for (const damaged of [
      file.subarray(0, 11),
      file.subarray(0, 15),
      Buffer.concat([file, file]),
      file.with(0, 0),
    ])
      expect(decodeLevels(Uint8Array.from(damaged))).toBeUndefined();
  });
});

/** RMS and peak, in dBFS. */
function codes(...levels: [rms: number, peak: number][]): Uint8Array {
  return Uint8Array.from(levels.flat(), (dbfs) => 254 + 2 * dbfs);
}

describe("the levels of a range", () => {
  test("have the largest peak and the mean power of the blocks in each point", () => {
    const points = new LevelPoints(0.6, 0.2);
    points.add({ sampleRate: 8_000, codes: codes([-20, -10], [-20, -4], [-30, -25], [-10, -9]) }, 0, 0.4);
    expect(points.peaks()).toEqual([-4, -9, null]);
    expect(points.rms()).toEqual([-20, -13, null]);
    expect(points.clipping()).toEqual([]);
  });

  test("count a block across a border for both points, by its share", () => {
    const points = new LevelPoints(0.2, 0.1);
    points.add({ sampleRate: 8_000, codes: codes([-10, -5], [-40, -30]) }, -0.025, 0.2);
    expect(points.peaks()).toEqual([-5, -30]);
    expect(points.rms()).toEqual([-11.2, -40]);
    expect(new LevelPoints(1, 1).rms()).toEqual([null]);
  });

  test("end where the sound does, though its last block would be longer", () => {
    const points = new LevelPoints(0.4, 0.1);
    points.add({ sampleRate: 8_000, codes: codes([-10, -5], [-40, -30]) }, 0.05, 0.12);
    expect(points.peaks()).toEqual([-5, -5, null, null]);
  });

  test("leave out what is behind the range, also within its last point", () => {
    const points = new LevelPoints(0.3, 0.2);
    points.add({ sampleRate: 8_000, codes: codes([-40, -30], [-40, -30], [-20, -10], [-1, -1]) }, 0, 0.4);
    expect([points.peaks(), points.rms()]).toEqual([
      [-30, -10],
      [-40, -20],
    ]);
  });

  test("leave out a block that begins at the end of the range, whatever the arithmetic says", () => {
    expect(20.4 + 9 * 0.1).toBeLessThan(21.3);
    const points = new LevelPoints(21.3, 0.2);
    const quiet = Array.from({ length: 9 }, (): [number, number] => [-40, -30]);
    points.add({ sampleRate: 8_000, codes: codes(...quiet, [-1, -1]) }, 20.4, 1);
    expect(points.peaks().at(-1)).toBe(-30);
  });

  test("know which points clip, of blocks and of whole sounds", () => {
    const points = new LevelPoints(0.6, 0.1);
    points.add({ sampleRate: 8_000, codes: Uint8Array.of(254, 255, 9, 9, 254, 255) }, 0, 0.3);
    points.addWhole({ peak: 0, rms: -3, isClipping: true }, 0.3, 0.2);
    expect(points.clipping()).toEqual([
      [0, 1],
      [2, 5],
    ]);
  });

  test("have blocks of 100 ms at any sample rate", () => {
    expect([8_000, 11_025, 44_100, 3].map(levelBlockFrames)).toEqual([800, 1_103, 4_410, 1]);
  });
});
