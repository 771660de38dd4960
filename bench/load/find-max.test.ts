import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Attempt, findMax, type SearchBounds } from "./find-max.ts";

const bounds: SearchBounds = {
  from: 100,
  max: 20_000,
  precision: 0,
  maxAttempts: 100,
  isTimeUp: () => false,
};

/** A server that holds up to `maxStreams`. */
function upTo(maxStreams: number): (streams: number) => Promise<Attempt> {
  return (streams) =>
    Promise.resolve({
      streams,
      outcome: streams <= maxStreams ? "held" : "failed",
      why: streams <= maxStreams ? "" : "late",
    });
}

describe("the search for the largest load", () => {
  test("finds it in few attempts, whatever it is and wherever the search starts", async () => {
    const number = fc.integer({ min: 1, max: 20_000 });
    const property = fc.asyncProperty(number, number, async (real, from) => {
      const { best, limit, attempts, isComplete } = await findMax({ ...bounds, from }, upTo(real));
      expect(isComplete).toBe(true);
      expect(best?.streams).toBe(real);
      expect(limit?.streams).toBe(real === 20_000 ? undefined : real + 1);
      expect(attempts.length).toBeLessThan(64);
    });
    await fc.assert(property, { numRuns: 200 });
  });

  test("stops when the gap is small enough", async () => {
    const { best, limit, attempts } = await findMax({ ...bounds, precision: 0.05 }, upTo(1730));
    expect(attempts.map(({ streams }) => streams)).toEqual([
      100, 200, 400, 800, 1600, 3200, 3200, 2400, 2400, 2000, 2000, 1800, 1800, 1700, 1750, 1750,
    ]);
    expect([best?.streams, limit?.streams]).toEqual([1700, 1750]);
  });

  test("retries a failed load once", async () => {
    const hiccups = new Set([200, 3200]);
    const { best, attempts } = await findMax({ ...bounds, precision: 0.5 }, (streams) =>
      hiccups.delete(streams) ? upTo(0)(streams) : upTo(1700)(streams),
    );
    expect(attempts.map(({ streams }) => streams)).toEqual([
      100, 200, 200, 400, 800, 1600, 3200, 3200, 2400, 2400,
    ]);
    expect(best?.streams).toBe(1600);
  });

  test("finds nothing if a load of one fails", async () => {
    const { best, limit, isComplete } = await findMax(bounds, upTo(0));
    expect([best, limit?.streams, isComplete]).toEqual([undefined, 1, true]);
  });

  test("is incomplete when attempts or time run out", async () => {
    const few = await findMax({ ...bounds, maxAttempts: 3 }, upTo(5000));
    expect([few.best?.streams, few.attempts.length, few.isComplete]).toEqual([400, 3, false]);
    let asked = 0;
    const isTimeUp = () => (asked += 1) > 2;
    const short = await findMax({ ...bounds, isTimeUp }, upTo(5000));
    expect([short.best?.streams, short.isComplete]).toEqual([200, false]);
  });
});
