import { expect, test } from "bun:test";
import { maxArchivePauseMs } from "../../base/limits/archive.ts";
import { openLog } from "../../base/log/log.ts";
import { Readiness } from "../../base/readiness.ts";
import { ArchiveAvailability, backoffMs } from "./availability.ts";

function availabilityAt(clock: { ms: number }, readiness = new Readiness()): ArchiveAvailability {
  return new ArchiveAvailability(readiness, openLog("test"), { now: () => clock.ms, random: () => 1 });
}

test("a store that fails is tried later each time, up to a limit, and at once after it has answered", () => {
  const clock = { ms: 0 };
  const availability = availabilityAt(clock);
  const pauses: number[] = [];
  for (let each = 0; each < 12; each += 1) {
    availability.failed("down");
    const from = clock.ms;
    while (availability.isPaused) clock.ms += 100;
    pauses.push(clock.ms - from);
  }
  expect(pauses.slice(0, 4)).toEqual([500, 1000, 2000, 4000]);
  expect(pauses.at(-1)).toBe(maxArchivePauseMs);
  availability.failed("down");
  availability.succeeded();
  expect([availability.isPaused, availability.isAvailable]).toEqual([false, true]);
});

test("a store that is down for hours is tried all the time, and never for longer than the limit not", () => {
  const clock = { ms: 0 };
  const availability = availabilityAt(clock);
  let tries = 0;
  for (; clock.ms < 5 * 3_600_000; clock.ms += 1000) {
    if (availability.isPaused) continue;
    tries += 1;
    availability.failed("down");
  }
  expect(tries).toBeGreaterThan((5 * 3_600_000) / maxArchivePauseMs - 10);
  expect(tries).toBeLessThan((5 * 3_600_000) / maxArchivePauseMs + 20);
});

test("what the store asks for is obeyed", () => {
  const clock = { ms: 0 };
  const availability = availabilityAt(clock);
  availability.failed("SlowDown", 60_000);
  clock.ms = 59_999;
  expect(availability.isPaused).toBe(true);
  clock.ms = 60_000;
  expect(availability.isPaused).toBe(false);
});

test("a store that is down is a note of a server that is ready", () => {
  const readiness = new Readiness();
  const availability = availabilityAt({ ms: 0 }, readiness);
  availability.failed("down");
  expect([readiness.isReady, readiness.notes.map(({ code }) => code)]).toEqual([
    true,
    ["ARCHIVE_UNAVAILABLE"],
  ]);
  availability.succeeded();
  expect(readiness.notes).toEqual([]);
});

test("jitter spreads what would come together over half of the wait", () => {
  expect([backoffMs(3, 1e9, 0), backoffMs(3, 1e9, 1), backoffMs(100, 5000, 1)]).toEqual([1000, 2000, 5000]);
});
