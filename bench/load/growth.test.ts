import { describe, expect, test } from "bun:test";
import { growthOf } from "./growth.ts";

const allowance = { share: 0.1, absolute: 5 };
const fifths = (...values: number[]) => values.flatMap((value) => [value, value, value, value * 100]);

describe("growth", () => {
  test("compares the medians of the second and the last fifth, so that the start and outliers do not count", () => {
    expect(growthOf("x", fifths(1, 100, 100, 100, 115), allowance)).toMatchObject({
      early: 100,
      late: 115,
      grew: false,
    });
    expect(growthOf("x", fifths(1, 100, 100, 100, 116), allowance)).toMatchObject({ grew: true });
    expect(growthOf("x", fifths(1, 100, 900, 900, 50), allowance).grew).toBe(false);
  });

  test("needs more than a handful of samples", () => {
    expect(() => growthOf("x", [1, 2, 3, 4], allowance)).toThrow(RangeError);
  });
});
