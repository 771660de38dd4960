import { describe, expect, test } from "bun:test";
import { rateBurstMs } from "../base/limits/access.ts";
import { ByteRate, Usage } from "./usage.ts";

describe("a rate of bytes", () => {
  test("lets a burst pass, and then makes the sender wait as long as its bytes take", () => {
    let now = 1000;
    const rate = new ByteRate(1_000_000, () => now);
    expect(rate.take(rateBurstMs * 1000)).toBe(0);
    expect(rate.take(500_000)).toBe(500);
    now += 500;
    expect(rate.take(1_000)).toBe(1);
    now += 100_000;
    expect(rate.take(rateBurstMs * 1000)).toBe(0);
  });

  test("without a limit never waits", () => {
    const rate = new ByteRate(undefined);
    expect([rate.isLimited, rate.take(2 ** 40)]).toEqual([false, 0]);
  });
});

describe("usage", () => {
  test("refuses a connection above the limit until another one ends", () => {
    const usage = new Usage({ connections: 2 }, undefined);
    const release = usage.openConnection();
    usage.openConnection();
    expect(() => usage.openConnection()).toThrow("limit of the token is reached");
    release();
    usage.openConnection();
  });

  test("counts uploads by stream, so that one is resumed before its old connection has ended", async () => {
    const usage = new Usage({ uploads: 1 }, undefined);
    const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    usage.openUpload("a", () => ({ over: first.promise }));
    usage.openUpload("a", () => ({ over: second.promise }));
    const open = () => usage.openUpload("b", () => ({ over: Promise.resolve() }));
    expect(open).toThrow("limit of the token is reached");
    first.resolve();
    await first.promise;
    expect(open).toThrow("limit of the token is reached");
    second.resolve();
    await second.promise;
    open();
  });

  test("of an upload that cannot be opened is not counted", () => {
    const usage = new Usage({ uploads: 1 }, undefined);
    const failing = () =>
      usage.openUpload("a", () => {
        throw new Error("no");
      });
    expect(failing).toThrow("no");
    usage.openUpload("b", () => ({ over: Promise.resolve() }));
  });
});
