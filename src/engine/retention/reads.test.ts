import { describe, expect, test } from "bun:test";
import { maxReadTimes, readRecencyMs } from "../../base/limits/retention.ts";
import { Reads } from "./reads.ts";

let nowMs = 0;

function newReads(): Reads<string> {
  nowMs = 1_000_000;
  return new Reads<string>(() => nowMs);
}

describe("reads", () => {
  test("are in progress for a while after each request", () => {
    const reads = newReads();
    expect(reads.isInProgress("a")).toBe(false);
    reads.note("a");
    nowMs += readRecencyMs - 1;
    expect([reads.isInProgress("a"), reads.isInProgress("b")]).toEqual([true, false]);
    nowMs += 1;
    expect(reads.isInProgress("a")).toBe(false);
  });

  test("are in progress while anybody holds them, and each holder releases once", () => {
    const reads = newReads();
    const [first, second] = [reads.hold("a"), reads.hold("a")];
    nowMs += 10 * readRecencyMs;
    first();
    first();
    expect(reads.isInProgress("a")).toBe(true);
    second();
    expect(reads.isInProgress("a")).toBe(false);
  });

  test("are saved once, with their time", () => {
    const reads = newReads();
    reads.note("a");
    reads.note("a");
    reads.note("b");
    expect(reads.takeUnsaved().map(({ id }) => id)).toEqual(["a", "b"]);
    expect(reads.takeUnsaved()).toEqual([]);
  });

  test("of more streams than are remembered forget the oldest", () => {
    const reads = newReads();
    for (let each = 0; each <= maxReadTimes; each += 1) reads.note(`s${each}`);
    expect([reads.isInProgress("s0"), reads.isInProgress("s1")]).toEqual([false, true]);
    expect(reads.takeUnsaved().length).toBe(maxReadTimes);
  });
});
