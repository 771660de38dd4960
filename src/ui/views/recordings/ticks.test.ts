import { expect, test } from "bun:test";
import fc from "fast-check";
import { formatTimeOfDay, ticksOf } from "./ticks.ts";

const morning = new Date(2026, 0, 15, 9, 5, 7, 420).getTime();

test("a day has a mark every two or three hours, and begins with its date", () => {
  const fromMs = new Date(2026, 0, 15).getTime();
  const ticks = ticksOf({ fromMs, toMs: new Date(2026, 0, 16).getTime() }, 900, 70);
  expect(ticks[0]!.isDay).toBe(true);
  expect(ticks.slice(1, 4).map(({ label }) => label)).toEqual(["02:00", "04:00", "06:00"]);
});

test("a second has marks of tenths", () => {
  const labels = ticksOf({ fromMs: morning, toMs: morning + 1_000 }, 900, 80).map(({ label }) => label);
  expect(labels.slice(0, 2)).toEqual(["09:05:07.5", "09:05:07.6"]);
});

test("marks are in order, within the window, and never closer than they need", () => {
  const spans = fc.integer({ min: 1_000, max: 7 * 86_400_000 });
  fc.assert(
    fc.property(
      spans,
      fc.integer({ min: 0, max: 4e9 }),
      fc.integer({ min: 560, max: 3_000 }),
      (span, at, px) => {
        const window = { fromMs: morning + at, toMs: morning + at + span };
        const times = ticksOf(window, px, 70).map(({ ms }) => ms);
        for (const [index, ms] of times.entries()) {
          expect(ms).toBeWithin(window.fromMs, window.toMs);
          const next = times[index + 1];
          // A day may be an hour shorter.
          if (next !== undefined) expect(((next - ms) * px) / span).toBeGreaterThan(60);
        }
      },
    ),
  );
});

test("a time has as many digits as differ", () => {
  expect(formatTimeOfDay(morning, 60_000)).toBe("09:05");
  expect(formatTimeOfDay(morning, 1_000)).toBe("09:05:07");
  expect(formatTimeOfDay(morning, 100)).toBe("09:05:07.4");
  expect(formatTimeOfDay(morning, 1)).toBe("09:05:07.420");
});
