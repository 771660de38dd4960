import { describe, expect, test } from "bun:test";
import { until } from "../../testing/harness/until.ts";
import type { Fields } from "./log.ts";
import { RateLimitedLog } from "./rate-limited-log.ts";
import { RecentLines } from "./recent-lines.ts";
import { Repeats } from "./repeats.ts";

const waitMs = 5_000;
const ignore = (): void => undefined;

function recorded(settings: { burst: number; periodMs: number }) {
  const reports: [string, number][] = [];
  const repeats = new Repeats<string>({
    ...settings,
    report: (last, repeated) => reports.push([last, repeated]),
  });
  return { reports, repeats };
}

describe("lines that repeat", () => {
  test("pass up to the burst, and are reported with their count when the period ends", async () => {
    const { reports, repeats } = recorded({ burst: 2, periodMs: 30 });
    const passed = ["a", "b", "c", "d"].filter((line) => repeats.passes("kind", line));
    expect(passed).toEqual(["a", "b"]);
    expect(reports).toEqual([]);
    await until("the report", waitMs, () => reports.length > 0);
    expect(reports).toEqual([["d", 2]]);
    // The report was the first line of the next period.
    expect(["e", "f"].filter((line) => repeats.passes("kind", line))).toEqual(["e"]);
  });

  test("are counted for each kind by itself", () => {
    const { reports, repeats } = recorded({ burst: 1, periodMs: 60_000 });
    expect(repeats.passes("one", "a")).toBe(true);
    expect(repeats.passes("other", "b")).toBe(true);
    expect(repeats.passes("one", "c")).toBe(false);
    repeats.flush();
    expect(reports).toEqual([["c", 1]]);
    repeats.flush();
    expect(reports).toHaveLength(1);
  });

  test("cost one line a period as long as they last, and pass again after a quiet period", async () => {
    const { reports, repeats } = recorded({ burst: 1, periodMs: 20 });
    let passed = 0;
    await until("three reports", waitMs, () => {
      if (repeats.passes("kind", "line")) passed += 1;
      return reports.length >= 3;
    });
    expect(passed).toBe(1);
    await until("a quiet period", waitMs, () => repeats.isQuiet);
    expect(repeats.passes("kind", "line")).toBe(true);
  });
});

test("a rate-limited log says once how often a line was repeated", async () => {
  const lines: [string, Fields | undefined][] = [];
  const warn = (message: string, fields?: Fields): void => void lines.push([message, fields]);
  const log = new RateLimitedLog({ debug: ignore, info: ignore, error: ignore, warn }, 20);
  for (const peer of [1, 2, 3]) log.warn("a peer failed", { peer });
  expect(lines).toEqual([["a peer failed", { peer: 1 }]]);
  await until("the count", waitMs, () => lines.length === 2);
  expect(lines[1]).toEqual(["a peer failed", { peer: 3, repeated: 2 }]);
});

test("the last lines of the log stay within their length, and the oldest make room", () => {
  const recent = new RecentLines(10);
  for (let at = 0; at < 100; at += 1) recent.add(`${at}`.padStart(3, "0"));
  expect(recent.lines).toEqual(["097", "098", "099"]);
  recent.add("x".repeat(11));
  expect(recent.lines).toEqual([]);
});
