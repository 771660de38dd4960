import { expect, test } from "bun:test";
import { reliableFloorMbps, reliableStartMbps } from "../../base/limits/songs.ts";
import { Rate } from "./rate.ts";

const megabit = 125_000;

/** Runs rounds of 100 ms that use a share of the rate and lose `lost` percent of the blocks. */
function after(rate: Rate, rounds: number, lost: number, use = 1): number {
  for (let round = 0; round < rounds; round += 1) {
    const blocks = Math.ceil(((rate.current / 10) * use) / 1200);
    rate.count(blocks, (blocks * lost) / 100);
    now += 100;
    rate.update(now, 20);
  }
  return rate.current;
}
/** Milliseconds. */
let now = 0;

test("a transfer starts slowly, grows while nothing is lost, and stays within its limit", () => {
  const rate = new Rate(40 * megabit, now);
  expect(rate.current).toBe(reliableStartMbps * megabit);
  expect(after(rate, 2, 0)).toBeGreaterThan(15 * megabit);
  expect(after(rate, 100, 0)).toBe(40 * megabit);
  expect(new Rate(megabit, now).current).toBe(megabit);
});

test("it backs off at congestion, holds at moderate loss, and recovers afterwards", () => {
  const rate = new Rate(40 * megabit, now);
  after(rate, 100, 0);
  const held = after(rate, 20, 5);
  expect(held).toBe(40 * megabit);
  const less = after(rate, 3, 30);
  expect(less).toBeLessThan(30 * megabit);
  expect(after(rate, 200, 50)).toBe(reliableFloorMbps * megabit);
  expect(after(rate, 200, 0)).toBe(40 * megabit);
});

test("it does not grow while the transfer uses less than the rate", () => {
  const rate = new Rate(40 * megabit, now);
  expect(after(rate, 50, 0, 0.3)).toBe(reliableStartMbps * megabit);
  expect(after(rate, 50, 0)).toBe(40 * megabit);
});

test("a round with few blocks changes nothing", () => {
  const rate = new Rate(40 * megabit, now);
  for (let round = 0; round < 9; round += 1) {
    rate.count(1, 1);
    now += 100;
    rate.update(now, 20);
  }
  expect(rate.current).toBe(reliableStartMbps * megabit);
});
