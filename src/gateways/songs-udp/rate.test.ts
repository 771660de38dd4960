import { expect, test } from "bun:test";
import { reliableFloorMbps, reliableStartMbps } from "../../base/limits.ts";
import { Rate } from "./rate.ts";

const megabit = 125_000;

/** Rounds of 100 ms in each of which 100 blocks are sent and `lost` of them are lost. */
function after(rate: Rate, rounds: number, lost: number): number {
  for (let round = 0; round < rounds; round += 1) {
    rate.note(100, lost);
    now += 100;
    rate.look(now, 20);
  }
  return rate.current;
}
let now = 0;

test("a transfer begins slowly, grows while nothing is lost, and never past its limit", () => {
  const rate = new Rate(40 * megabit);
  expect(rate.current).toBe(reliableStartMbps * megabit);
  expect(after(rate, 2, 0)).toBeGreaterThan(15 * megabit);
  expect(after(rate, 100, 0)).toBe(40 * megabit);
  expect(new Rate(megabit).current).toBe(megabit);
});

test("it gives way to loss, holds where a link loses by itself, and comes back when that is over", () => {
  const rate = new Rate(40 * megabit);
  after(rate, 100, 0);
  const held = after(rate, 20, 5);
  expect(held).toBe(40 * megabit);
  const less = after(rate, 3, 30);
  expect(less).toBeLessThan(30 * megabit);
  expect(after(rate, 200, 50)).toBe(reliableFloorMbps * megabit);
  expect(after(rate, 200, 0)).toBe(40 * megabit);
});

test("a round with few blocks says nothing", () => {
  const rate = new Rate(40 * megabit);
  for (let round = 0; round < 9; round += 1) {
    rate.note(1, 1);
    now += 100;
    rate.look(now, 20);
  }
  expect(rate.current).toBe(reliableStartMbps * megabit);
});
