import { describe, expect, test } from "bun:test";
import { Policy } from "./policy.ts";

describe("a policy", () => {
  test("is about the streams or the devices that its pattern matches", () => {
    const takes = new Policy({ pattern: "streams/take-*", mode: "evict" });
    expect(takes.matches("streams", "take-1.wav")).toBe(true);
    expect(takes.matches("streams", "mistake-1")).toBe(false);
    expect(takes.matches("recordings", "take-1")).toBe(false);
    expect(takes.coversAll).toBe(false);
    const all = new Policy({ pattern: "recordings/**", mode: "expire" });
    expect([all.coversAll, all.matches("recordings", "kitchen")]).toEqual([true, true]);
  });

  test.each(["library/*", "streams", "streams/", "*", ""])("is refused for the pattern %p", (pattern) => {
    expect(() => new Policy({ pattern, mode: "evict" })).toThrow(RangeError);
  });

  test("refuses no recordings", () => {
    expect(() => new Policy({ pattern: "recordings/*", mode: "refuse" })).toThrow("never refused");
  });
});
