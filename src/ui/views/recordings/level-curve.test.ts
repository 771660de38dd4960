import { expect, test } from "bun:test";
import { curveOfLevels, formatDecibels } from "./level-curve.ts";

const levels = {
  from: "1970-01-01T00:00:10.000Z",
  pointMs: 500,
  peak: [-6, null, -120],
  rms: [-20, null, -120],
};

test("levels become curves over time, with gaps, and silence at the edge of the axis", () => {
  const { times, series } = curveOfLevels(levels)!;
  expect(times).toEqual([10, 10.5, 11]);
  expect(series.map(({ label, values }) => [label, values])).toEqual([
    ["Peak", [-6, null, -90]],
    ["RMS", [-20, null, -90]],
  ]);
});

test("there is no curve without audio", () => {
  expect(curveOfLevels({ ...levels, peak: [null, null], rms: [null, null] })).toBeUndefined();
});

test.each([
  [-12.34, "-12.3"],
  [0, "0"],
  [-90, "≤ -90"],
])("%p dBFS is shown as %p", (value, text) => {
  expect(formatDecibels(value)).toBe(text);
});
