import { expect, test } from "bun:test";
import { reliableFloorMbps, reliableStartMbps } from "../../base/limits/songs.ts";
import { Rate } from "./rate.ts";

const megabit = 125_000;

/** Rounds of 100 ms in which all of the rate is used, or a share of it, and `lost` of 100 blocks are lost. */
function after(rate: Rate, rounds: number, lost: number, use = 1): number {
  for (let round = 0; round < rounds; round += 1) {
    const blocks = Math.ceil(((rate.current / 10) * use) / 1200);
    rate.note(blocks, (blocks * lost) / 100);
    now += 100;
    rate.look(now, 20);
  }
  return rate.current;
}
/** Milliseconds. */
let now = 0;

test("a transfer begins slowly, grows while nothing is lost, and never past its limit", () => {
  const rate = new Rate(40 * megabit, now);
  expect(rate.current).toBe(reliableStartMbps * megabit);
  expect(after(rate, 2, 0)).toBeGreaterThan(15 * megabit);
  expect(after(rate, 100, 0)).toBe(40 * megabit);
  expect(new Rate(megabit, now).current).toBe(megabit);
});

test("it gives way to loss, holds where a link loses by itself, and comes back when that is over", () => {
  const rate = new Rate(40 * megabit, now);
  after(rate, 100, 0);
  const held = after(rate, 20, 5);
  expect(held).toBe(40 * megabit);
  const less = after(rate, 3, 30);
  expect(less).toBeLessThan(30 * megabit);
  expect(after(rate, 200, 50)).toBe(reliableFloorMbps * megabit);
  expect(after(rate, 200, 0)).toBe(40 * megabit);
});

test("it does not grow while it is not used, as by a song that waits for its reader", () => {
  const rate = new Rate(40 * megabit, now);
  expect(after(rate, 50, 0, 0.3)).toBe(reliableStartMbps * megabit);
  expect(after(rate, 50, 0)).toBe(40 * megabit);
});

test("a round with few blocks says nothing", () => {
  const rate = new Rate(40 * megabit, now);
  for (let round = 0; round < 9; round += 1) {
    rate.note(1, 1);
    now += 100;
    rate.look(now, 20);
  }
  expect(rate.current).toBe(reliableStartMbps * megabit);
});
