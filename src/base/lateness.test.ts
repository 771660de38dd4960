import { expect, test } from "bun:test";
import { Lateness } from "./lateness.ts";

test("lateness has percentiles to the millisecond, and an exact maximum", () => {
  const late = new Lateness();
  expect([late.count, late.percentileMs(0.99), late.maxMs]).toEqual([0, 0, 0]);
  for (let ms = 0; ms < 100; ms++) late.add(ms);
  expect([0.5, 0.99, 1].map((share) => late.percentileMs(share))).toEqual([49, 98, 99]);
  expect([late.over(0), late.over(39.5), late.over(99)]).toEqual([99, 59, 0]);
  late.add(123_456.5);
  expect([late.percentileMs(1), late.maxMs, late.count]).toEqual([10_000, 123_456.5, 101]);
});
