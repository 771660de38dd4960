import { beforeEach, expect, test } from "bun:test";
import { busyUploadBytesPerSecond, maxArchiveDelayMs } from "../../base/limits/archive.ts";
import { ArchivePace } from "./pace.ts";

const maxDelayedBytes = 1000;
let ms: number;
let storedBytes: number;
let share: number;
let queuedBytes: number;
let pace: ArchivePace;

beforeEach(() => {
  [ms, storedBytes, share, queuedBytes] = [0, 0, 1, 0];
  const host = {
    now: () => ms,
    storedBytes: () => storedBytes,
    processorShare: () => share,
    queuedBytes: () => queuedBytes,
  };
  pace = new ArchivePace(host, maxDelayedBytes);
});

/** Time passes, while uploads bring audio. Returns whether objects may be stored then. */
function after(passedMs: number, bytesPerSecond = 2 * busyUploadBytesPerSecond): boolean {
  ms += passedMs;
  storedBytes += (bytesPerSecond * passedMs) / 1000;
  return pace.mayStore();
}

test("objects wait while uploads keep the processors busy, and no longer", () => {
  expect([after(1000), pace.isDeferring]).toEqual([false, true]);
  expect([after(1000), pace.isDeferring]).toEqual([false, true]);
  expect([after(1000, 0), pace.isDeferring]).toEqual([true, false]);
});

test("objects do not wait while processors are idle, or busy with something else", () => {
  share = 0.5;
  expect([after(1000), pace.isDeferring]).toEqual([true, false]);
  share = 1;
  expect([after(1000, busyUploadBytesPerSecond / 2), pace.isDeferring]).toEqual([true, false]);
});

test("a removal that outweighs the uploads is no upload", () => {
  expect(after(1000, -busyUploadBytesPerSecond)).toBe(true);
});

test("objects wait for the longest delay, and then no more until nothing waits", () => {
  let waitedMs = 0;
  for (; !after(1000); waitedMs += 1000);
  expect(waitedMs).toBe(maxArchiveDelayMs);
  for (let each = 0; each < 100; each += 1) expect([after(1000), pace.isDeferring]).toEqual([true, false]);
  pace.caughtUp();
  expect(after(1000)).toBe(false);
});

test("objects do not wait when many bytes do", () => {
  expect(after(1000)).toBe(false);
  queuedBytes = maxDelayedBytes + 1;
  expect(after(1000)).toBe(true);
});

test("the load is not measured over moments", () => {
  expect(after(1000)).toBe(false);
  expect(after(1, 0)).toBe(false);
  expect(after(1000, 0)).toBe(true);
});
