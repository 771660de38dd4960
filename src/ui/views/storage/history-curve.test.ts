import { expect, test } from "bun:test";
import { curveOfHistory } from "./history-curve.ts";

const disk = { holds: ["streams"], freeBytes: 1, totalBytes: 2, growthBytesPerDay: 100, fullAt: null };
const samples = [0, 1, 2].map((hour) => ({
  at: new Date(hour * 3_600_000).toISOString(),
  streamBytes: 1_000 + hour,
  recordingBytes: 500,
}));

test("a curve has what was stored, and goes on at the rate of all disks", () => {
  const { times, series } = curveOfHistory({ samples }, [disk, { ...disk, growthBytesPerDay: -20 }])!;
  expect(times).toEqual([0, 3_600, 7_200, 7_200 + 2 * 86_400]);
  expect(series.map(({ label, values }) => [label, values])).toEqual([
    ["Together", [1_500, 1_501, 1_502, null]],
    ["Streams", [1_000, 1_001, 1_002, null]],
    ["At this rate", [null, null, 1_502, 1_662]],
  ]);
});

test("it has no forecast while the rate is not known, and never one below nothing", () => {
  const unknown = curveOfHistory({ samples }, [{ ...disk, growthBytesPerDay: null }])!;
  expect(unknown.times).toHaveLength(3);
  expect(unknown.series.map(({ label }) => label)).toEqual(["Together", "Streams"]);
  const shrinking = curveOfHistory({ samples }, [{ ...disk, growthBytesPerDay: -1e6 }])!;
  expect(shrinking.series.at(-1)!.values.at(-1)).toBe(0);
});

test("there is none before the second sample", () => {
  expect(curveOfHistory({ samples: samples.slice(0, 1) }, [disk])).toBeUndefined();
});
