import { expect, test } from "bun:test";
import { formatAgo, formatBytes, formatDuration } from "./format.ts";

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1_000, "1.0 KB"],
  [129_168, "129 KB"],
  [99_960, "100 KB"],
  [999_500, "1.0 MB"],
  [53_687_091_200, "53.7 GB"],
  [5_000_000_000_000_000, "5000 TB"],
])("%p bytes are %p", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test.each([
  [0, "0:00"],
  [59.99, "0:59"],
  [242, "4:02"],
  [3_842, "1:04:02"],
  [-1, "0:00"],
])("%p seconds are %p", (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});

test("a time is shown by its distance from now", () => {
  const now = Date.parse("2025-01-31T09:05:00Z");
  expect(formatAgo("2025-01-31T09:04:30Z", now)).toBe("just now");
  expect(formatAgo("2025-01-31T09:00:00Z", now)).toContain("5");
  expect(formatAgo("2025-01-29T09:00:00Z", now)).toContain("2");
});
