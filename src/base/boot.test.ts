import { expect, test } from "bun:test";
import { isSameBoot, thisBoot } from "./boot.ts";

test("a start of the system is the same however often it is asked for", () => {
  expect(isSameBoot(thisBoot(), thisBoot())).toBe(true);
  expect(thisBoot().startedAt).toBeLessThan(Date.now());
});

test("its name decides where both have one, else the time within which no system starts twice", () => {
  const boot = { id: "a", startedAt: 1_000_000 };
  expect(isSameBoot(boot, { id: "a", startedAt: 9_000_000 })).toBe(true);
  expect(isSameBoot(boot, { id: "b", startedAt: 1_000_000 })).toBe(false);
  expect(isSameBoot(boot, { id: null, startedAt: 1_010_000 })).toBe(true);
  expect(isSameBoot({ id: null, startedAt: 1_000_000 }, { id: null, startedAt: 1_060_000 })).toBe(false);
});
