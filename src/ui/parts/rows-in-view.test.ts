import { expect, test } from "bun:test";
import fc from "fast-check";
import { rowsInView } from "./rows-in-view.ts";

test("a list at its beginning has the first rows, and some below the window", () => {
  expect(rowsInView({ topPx: 200, viewPx: 600, rowPx: 50, count: 1_000 })).toEqual({ first: 0, end: 20 });
});

test("a list scrolled to its end has the last rows", () => {
  const { first, end } = rowsInView({ topPx: -49_400, viewPx: 600, rowPx: 50, count: 1_000 });
  expect(end).toBe(1_000);
  expect(first).toBeLessThan(988);
});

test("every row that touches the window exists, and never many more", () => {
  const view = fc.record({
    topPx: fc.integer({ min: -6_000_000, max: 2_000 }),
    viewPx: fc.integer({ min: 100, max: 3_000 }),
    rowPx: fc.integer({ min: 20, max: 100 }),
    count: fc.integer({ min: 0, max: 100_000 }),
  });
  fc.assert(
    fc.property(view, (given) => {
      const { first, end } = rowsInView(given);
      const { topPx, viewPx, rowPx, count } = given;
      expect(first).toBeGreaterThanOrEqual(0);
      expect(end).toBeLessThanOrEqual(count);
      expect(end - first).toBeLessThanOrEqual(viewPx / rowPx + 28);
      for (const pixel of [0, viewPx / 2, viewPx - 1]) {
        const row = Math.floor((pixel - topPx) / rowPx);
        if (row >= 0 && row < count) expect(first <= row && row < end).toBe(true);
      }
    }),
  );
});
