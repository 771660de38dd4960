import { expect, test } from "bun:test";
import { isSameBoot, thisBoot } from "./boot.ts";

test("the boot of the system stays the same between two calls", () => {
  expect(isSameBoot(thisBoot(), thisBoot())).toBe(true);
  expect(thisBoot().startedAt).toBeLessThan(Date.now());
});

test("boots are compared by id if both have one, otherwise by their time", () => {
  const boot = { id: "a", startedAt: 1_000_000 };
  expect(isSameBoot(boot, { id: "a", startedAt: 9_000_000 })).toBe(true);
  expect(isSameBoot(boot, { id: "b", startedAt: 1_000_000 })).toBe(false);
  expect(isSameBoot(boot, { id: null, startedAt: 1_010_000 })).toBe(true);
  expect(isSameBoot({ id: null, startedAt: 1_000_000 }, { id: null, startedAt: 1_060_000 })).toBe(false);
});
