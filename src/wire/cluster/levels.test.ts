import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  decodeLevelNames,
  decodeLevelsWanted,
  decodeLevelValues,
  encodeLevelNames,
  encodeLevelsWanted,
  encodeLevelValues,
} from "./levels.ts";

const node = "0b0f7a5e-6a4f-4b0e-8a58-0e2c7a1f6d11";

describe("levels between nodes", () => {
  test("arrive as they were sent", () => {
    expect(decodeLevelsWanted(encodeLevelsWanted({ node }))).toEqual({ node });
    const names = {
      list: 0xffffffff,
      names: [["küche", 7] as [string, number], [null, 8] as [null, number]],
    };
    expect(decodeLevelNames(encodeLevelNames(names))).toEqual(names);
    const levels = [
      { index: 0, peak: 32_768, meanSquare: 2 ** 30, clipped: 3 },
      { index: 65_535, peak: 0, meanSquare: 0, clipped: 65_535 },
    ];
    expect(decodeLevelValues(encodeLevelValues({ list: 1, levels }))).toEqual({ list: 1, levels });
  });

  test("clip more samples than a number can say at that number", () => {
    const levels = [{ index: 0, peak: 0, meanSquare: 0, clipped: 100_000 }];
    expect(decodeLevelValues(encodeLevelValues({ list: 1, levels }))!.levels[0]!.clipped).toBe(65_535);
  });

  test("are undefined for any other bytes", () => {
    expect(decodeLevelValues(new Uint8Array(3))).toBeUndefined();
    expect(decodeLevelValues(new Uint8Array(5))).toBeUndefined();
    expect(decodeLevelValues(new Uint8Array(14).fill(0xff))).toBeUndefined();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (message) => {
        for (const decode of [decodeLevelNames, decodeLevelsWanted, decodeLevelValues]) decode(message);
      }),
    );
  });
});
