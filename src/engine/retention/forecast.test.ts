import { expect, test } from "bun:test";
import { fullAt, growthPerDay } from "./forecast.ts";

const hourMs = 3_600_000;
const sample = (at: number, streamBytes: number) => ({ at, streamBytes, recordingBytes: 0 });
const bytesOf = ({ streamBytes }: { streamBytes: number }) => streamBytes;

test("growth is that of a day at the rate since the first sample", () => {
  expect(growthPerDay([sample(0, 100), sample(hourMs, 500)], sample(12 * hourMs, 1_100), bytesOf)).toBe(
    2_000,
  );
  expect(growthPerDay([sample(0, 1_100)], sample(12 * hourMs, 100), bytesOf)).toBe(-2_000);
});

test("growth is unknown in the first hour", () => {
  expect(growthPerDay([], sample(0, 1), bytesOf)).toBeUndefined();
  expect(growthPerDay([sample(0, 0)], sample(hourMs - 1, 5), bytesOf)).toBeUndefined();
});

test("a disk is full when its free space is used up at the rate, and never without growth", () => {
  expect(fullAt(1_000, 500, 1_000)).toBe(1_000 + 12 * hourMs);
  expect(fullAt(1_000, 500, 0)).toBeUndefined();
  expect(fullAt(1_000, 500, undefined)).toBeUndefined();
  expect(fullAt(1_000, Number.MAX_SAFE_INTEGER, 0.001)).toBeUndefined();
});
