import { expect, test } from "bun:test";
import { parseDuration } from "./duration.ts";

test.each([
  ["45s", 45_000],
  ["30m", 1_800_000],
  ["12h", 43_200_000],
  ["90d", 7_776_000_000],
  ["0d", undefined],
  ["90", undefined],
  ["d", undefined],
  ["1.5d", undefined],
  ["-1d", undefined],
  ["1 d", undefined],
  ["1y", undefined],
  ["", undefined],
])("the duration %s is %p ms", (text, expected) => {
  expect(parseDuration(text)).toBe(expected);
});
