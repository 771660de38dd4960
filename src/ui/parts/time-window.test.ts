import { expect, test } from "bun:test";
import fc from "fast-check";
import { dayOf, maxSpanMs, minSpanMs, panned, showing, spanOf, zoomed } from "./time-window.ts";

const noon = Date.UTC(2026, 0, 1, 12);
const hour = { fromMs: noon, toMs: noon + 3_600_000 };

test("a zoom keeps the time under the pointer where it is", () => {
  const at = noon + 900_000;
  const { fromMs, toMs } = zoomed(hour, 0.5, at);
  expect(toMs - fromMs).toBe(1_800_000);
  expect((at - fromMs) / (toMs - fromMs)).toBeCloseTo(0.25, 9);
});

test("no zoom leaves the limits of the span", () => {
  const factors = fc.array(fc.double({ min: 0.01, max: 100, noNaN: true }), { maxLength: 30 });
  fc.assert(
    fc.property(factors, fc.integer({ min: 0, max: 3_600_000 }), (all, offset) => {
      const window = all.reduce((known, factor) => zoomed(known, factor, noon + offset), hour);
      expect(spanOf(window)).toBeGreaterThan(minSpanMs - 1);
      expect(spanOf(window)).toBeLessThan(maxSpanMs + 1);
    }),
  );
});

test("a window moves only to show a time that it does not show", () => {
  expect(showing(hour, noon + 1)).toBe(hour);
  expect(showing(hour, noon + 7_200_000)).toEqual(panned(hour, 5_400_000));
});

test("a day begins at midnight of the user's clock", () => {
  const { fromMs, toMs } = dayOf(noon);
  expect(new Date(fromMs).getHours()).toBe(0);
  expect(new Date(toMs).getHours()).toBe(0);
  expect(noon).toBeWithin(fromMs, toMs);
});
