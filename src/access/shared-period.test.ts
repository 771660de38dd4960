import { describe, expect, test } from "bun:test";
import { Grants } from "./grants.ts";
import { isShared, periodOfResource, resourceOfPeriod, type SharedPeriod } from "./shared-period.ts";

const hour: SharedPeriod = { name: "kitchen", fromUs: 1_000, toUs: 5_000, streamId: undefined };

describe("a period that is shared", () => {
  test("is a resource of its own, which says all of it", () => {
    for (const period of [hour, { ...hour, streamId: 7 }])
      expect(periodOfResource(resourceOfPeriod(period))).toEqual(period);
    expect(resourceOfPeriod(hour)).toBe("recordings/kitchen@1000-5000");
    for (const other of ["recordings/kitchen", "streams/a@1-2", "recordings/a@1-", "recordings/@1-2"])
      expect(periodOfResource(other)).toBeUndefined();
  });

  test("grants nothing else of the device", () => {
    const grants = Grants.of("read", resourceOfPeriod(hour));
    expect(grants.allows("read", resourceOfPeriod(hour), "")).toBe(true);
    expect(grants.allows("read", "recordings/kitchen", "")).toBe(false);
  });

  test.each<[string, Partial<SharedPeriod>, boolean]>([
    ["the same", {}, true],
    ["a part", { fromUs: 2_000, toUs: 3_000 }, true],
    ["one that begins before", { fromUs: 999 }, false],
    ["one that ends after", { toUs: 5_001 }, false],
    ["one of another device", { name: "hall" }, false],
    ["one of a single stream", { streamId: 7 }, true],
  ])("has all audio of %s: %p %p", (_, change, expected) => {
    expect(isShared({ ...hour, ...change }, hour)).toBe(expected);
  });

  test("of one stream has no audio of others", () => {
    const shared = { ...hour, streamId: 7 };
    expect(isShared(shared, shared)).toBe(true);
    expect(isShared({ ...hour, streamId: 8 }, shared)).toBe(false);
    expect(isShared(hour, shared)).toBe(false);
  });
});
