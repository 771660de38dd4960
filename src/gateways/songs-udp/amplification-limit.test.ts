import { expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  maxUnvalidatedAddresses,
  maxUnvalidatedBytes,
  unvalidatedFactor,
  unvalidatedStartBytes,
  unvalidatedWindowMs,
} from "../../base/limits/songs.ts";
import { AmplificationLimit } from "./amplification-limit.ts";

test("an address gets its start once, and a multiple of what came from it", () => {
  const limit = new AmplificationLimit();
  expect(limit.take("a", 1)).toBe(false);
  limit.received("a", 10, 0);
  expect(limit.take("a", unvalidatedStartBytes + unvalidatedFactor * 10 + 1)).toBe(false);
  expect(limit.take("a", unvalidatedStartBytes + unvalidatedFactor * 10)).toBe(true);
  expect(limit.take("a", 1)).toBe(false);
  limit.received("a", 1, 1);
  expect(limit.take("a", unvalidatedFactor + 1)).toBe(false);
  expect(limit.take("a", unvalidatedFactor)).toBe(true);
});

test("an address never gets more than its share, whatever comes in which order", () => {
  const step = fc.record({ bytes: fc.nat({ max: 2000 }), isReceived: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const limit = new AmplificationLimit();
      let [received, sent] = [0, 0];
      for (const { bytes, isReceived } of steps) {
        if (isReceived) {
          received += bytes;
          limit.received("a", bytes, 0);
        } else if (limit.take("a", bytes)) sent += bytes;
        expect(sent).toBeLessThanOrEqual(unvalidatedStartBytes + unvalidatedFactor * received);
      }
    }),
  );
});

test("what an address saves up is bounded, and forgotten after a time", () => {
  const limit = new AmplificationLimit();
  for (let times = 0; times < 100; times += 1) limit.received("a", 60_000, times);
  expect(limit.take("a", maxUnvalidatedBytes + 1)).toBe(false);
  expect(limit.take("a", maxUnvalidatedBytes)).toBe(true);
  limit.received("a", 0, unvalidatedWindowMs - 1);
  expect(limit.take("a", 1)).toBe(false);
  limit.received("a", 0, unvalidatedWindowMs);
  expect(limit.take("a", unvalidatedStartBytes)).toBe(true);
});

test("while too many addresses are known, a new one gets nothing", () => {
  const limit = new AmplificationLimit();
  for (let each = 0; each < maxUnvalidatedAddresses; each += 1) limit.received(`${each}`, 1, 0);
  limit.received("late", 1000, 1);
  expect(limit.take("late", 1)).toBe(false);
  expect(limit.take("7", 1)).toBe(true);
  limit.received("late", 1000, unvalidatedWindowMs);
  expect(limit.take("late", 1)).toBe(true);
});
