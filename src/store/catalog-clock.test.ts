import { describe, expect, test } from "bun:test";
import { maxClockErrorMs } from "../base/limits/postgres.ts";
import { CatalogClock } from "./catalog-clock.ts";

const now = Date.UTC(2026, 0, 1);

describe("the clock of a machine", () => {
  test("counts as right while it differs little", () => {
    const clock = new CatalogClock();
    expect(clock.compare(now, now, now + 2)).toBeUndefined();
    expect(clock.compare(now, now + maxClockErrorMs, now + maxClockErrorMs)).toBeUndefined();
    expect(clock.compare(now, now - maxClockErrorMs, now - maxClockErrorMs)).toBeUndefined();
  });

  test("counts as right if only the answer was slow", () => {
    const clock = new CatalogClock();
    expect(clock.compare(now, now, now + 4_000)).toBeUndefined();
    expect(clock.compare(now, now - 4_000, now)).toBeUndefined();
  });

  test("is corrected once while it is wrong by the same time, and again when it is set right", () => {
    const clock = new CatalogClock();
    const ahead = 300_000;
    expect(clock.compare(now, now + ahead, now + ahead + 20)).toBe(ahead + 10);
    expect(clock.compare(now, now + ahead, now + ahead + 400)).toBeUndefined();
    expect(clock.compare(now, now, now + 4)).toBe(0);
    expect(clock.compare(now, now - ahead, now - ahead + 2)).toBe(1 - ahead);
  });
});
