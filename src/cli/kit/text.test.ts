import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  fileTime,
  humanBytes,
  humanDuration,
  humanTime,
  megabitsPerSecond,
  safeJson,
  table,
  visible,
} from "./text.ts";

// oxlint-disable-next-line no-control-regex
const controls = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;

describe("untrusted text", () => {
  test("has its control characters escaped", () => {
    expect(visible("a\u001b[2Jb\nc\u009b1md")).toBe("a\\x1b[2Jb\\x0ac\\x9b1md");
    expect(visible("abc\u202ecba")).toBe("abc\\u{202e}cba");
    expect(visible("Grüße 🎵")).toBe("Grüße 🎵");
  });

  test("never controls a terminal", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => !controls.test(visible(text))));
  });

  test("keeps its value in JSON, which does not control a terminal either", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "binary" })), (value) => {
        const json = safeJson(value);
        expect(JSON.parse(json)).toEqual(value);
        expect(controls.test(json.replaceAll("\n", ""))).toBe(false);
      }),
    );
  });
});

test("sizes, times and speeds are readable", () => {
  expect([0, 1023, 1024, 4_100_000, 1024 ** 2 - 1, 1024 ** 3].map(humanBytes)).toEqual([
    "0 B",
    "1023 B",
    "1.00 KiB",
    "3.91 MiB",
    "1.00 MiB",
    "1.00 GiB",
  ]);
  expect([0.1234, 42.4, 999.6, 1250, 59_999.9, 125_400].map(humanDuration)).toEqual([
    "0.12 ms",
    "42 ms",
    "1.000 s",
    "1.250 s",
    "1 min 0 s",
    "2 min 5 s",
  ]);
  expect(megabitsPerSecond(1_000_000, 1_000)).toBe(8);
  expect(humanTime("2025-01-31T09:05:00.123Z")).toBe("2025-01-31 09:05:00 UTC");
  expect(humanTime("soon")).toBe("soon");
  expect(fileTime(new Date("2025-01-31T09:05:00.123Z"))).toBe("20250131-090500-123");
});

test("a table aligns its columns by display width, and escapes control characters", () => {
  const rows = [
    ["ID", "SIZE", "X"],
    ["日本", "7", "y"],
    ["\u0007", "1000"],
  ];
  expect(table(rows, [1])).toEqual(["ID    SIZE  X", "日本     7  y", "\\x07  1000"]);
  expect(table([])).toEqual([]);
});
