import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { type ErrorCode, WavecacheError } from "../../base/errors.ts";
import { fetchedLookMs, fetchPieceBytes, maxFetches, maxWaitingFetches } from "../../base/limits/archive.ts";
import { openLog } from "../../base/log/log.ts";
import type { Archiver } from "../../pool/archiver.ts";
import type { KeeperClient } from "../../pool/keeper-client.ts";
import type { FetchTask } from "../../store/archive/archiver-calls.ts";
import { CacheLayout } from "../../store/layout.ts";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { until } from "../../testing/harness/until.ts";
import { FetchedObjects } from "./fetched-objects.ts";

const sha256 = "a".repeat(64);
const nowhere = new CacheLayout("/nowhere");
const file = { path: nowhere.objectPath(sha256), immutable: true, isArchived: true };
const fetchedFile = { path: nowhere.fetchedPath(sha256), immutable: true };
const size = 20 * fetchPieceBytes;

let isLocal: boolean;
let isGone: boolean;
let key: string;
let tasks: FetchTask[];
let waiting: (() => void)[];
let failure: ErrorCode | undefined;
let isHeld: boolean;
let isWhole: boolean;
let reservedBytes: number;
let maxReservedBytes: number;
let lost: string[];
let fetched: FetchedObjects;
let layout: CacheLayout;
let onFetch: () => void;

beforeEach(() => {
  layout = nowhere;
  onFetch = () => {};
  [isLocal, isHeld, isWhole, failure, reservedBytes] = [false, false, false, undefined, 0];
  isGone = false;
  key = "objects/aa/a";
  [tasks, waiting, lost] = [[], [], []];
  maxReservedBytes = Infinity;
  open();
});

function open(): void {
  const item = {
    size,
    isArchived: true,
    queuedAt: 0,
    failures: 0,
    uploadId: null,
  };
  const keeper = {
    call: async (_call: string, asked: { sha256: string }) =>
      isGone ? null : { ...item, ...asked, key, isLocal },
  } as unknown as Pick<KeeperClient, "call">;
  const archiver = {
    call: async (_call: string, task: FetchTask) => {
      tasks.push(task);
      if (isHeld) await new Promise<void>((resolve) => waiting.push(resolve));
      if (failure !== undefined) throw new WavecacheError(failure);
      onFetch();
      return { isWhole };
    },
  } as unknown as Pick<Archiver, "call">;
  fetched = new FetchedObjects(
    {
      keeper,
      archiver,
      layout,
      answered: () => {},
      reserve: (bytes) => {
        if (reservedBytes + bytes > maxReservedBytes) throw new WavecacheError("FETCHES_EXHAUSTED");
        reservedBytes += bytes;
      },
      forget: () => {},
      localized: () => {},
      lost: (object) => lost.push(object),
    },
    openLog("test"),
  );
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "none";
  } catch (error) {
    return error instanceof WavecacheError ? error.code : String(error);
  }
}

const pieces = () => tasks.map(({ offset }) => offset / fetchPieceBytes);

test("a range costs the pieces that it touches, once", async () => {
  expect(await fetched.range(file, 3 * fetchPieceBytes - 1, 2)).toEqual(fetchedFile);
  expect(pieces()).toEqual([2, 3]);
  expect(fetched.here(file, 2 * fetchPieceBytes, 2 * fetchPieceBytes)).toEqual(fetchedFile);
  expect(fetched.here(file, 0, 1)).toBeUndefined();
  await fetched.range(file, 3 * fetchPieceBytes, 10);
  expect([pieces(), fetched.hits, fetched.misses]).toEqual([[2, 3], 1, 1]);
  expect(reservedBytes).toBe(2 * fetchPieceBytes);
});

test("who asks for the same piece at the same time shares a fetch", async () => {
  isHeld = true;
  const reads = [1, 2, 3].map(() => fetched.range(file, 5 * fetchPieceBytes, 100));
  await until("the fetch", 5_000, () => waiting.length === 1);
  waiting[0]!();
  expect(await Promise.all(reads)).toEqual([fetchedFile, fetchedFile, fetchedFile]);
  expect(pieces()).toEqual([5]);
});

test("who reads on has the next pieces fetched ahead; who begins, or seeks, has not", async () => {
  await fetched.range(file, 0, 100);
  await fetched.range(file, 9 * fetchPieceBytes, 100);
  expect(pieces()).toEqual([0, 9]);
  await fetched.range(file, fetchPieceBytes, 100);
  expect(pieces()).toEqual([0, 9, 1, 2, 3, 4, 5]);
});

test("an object that is local by now is read where it is", async () => {
  isLocal = true;
  expect(await fetched.range(file, 0, 100)).toEqual({ path: file.path, immutable: true });
  expect(tasks).toEqual([]);
});

test("an object without checksums is here as a whole with its first piece", async () => {
  isWhole = true;
  await fetched.range(file, 100, 100);
  expect(fetched.here(file, 0, size)).toEqual(fetchedFile);
  expect(reservedBytes).toBe(size);
});

test("a fetch that fails fails its readers, frees its room, and is tried again by the next read", async () => {
  failure = "ARCHIVE_UNAVAILABLE";
  const reads = [1, 2].map(() => codeOf(fetched.range(file, 0, 100)));
  expect(await Promise.all(reads)).toEqual(["ARCHIVE_UNAVAILABLE", "ARCHIVE_UNAVAILABLE"]);
  expect([reservedBytes, lost]).toEqual([0, []]);
  failure = undefined;
  expect(await fetched.range(file, 0, 100)).toEqual(fetchedFile);
});

test("what was removed while it was read is unknown, and not lost", async () => {
  isGone = true;
  expect(await codeOf(fetched.range(file, 0, 100))).toBe("STREAM_UNKNOWN");
  isGone = false;
  [isHeld, failure] = [true, "OBJECT_MISSING"];
  const read = codeOf(fetched.range(file, 0, 100));
  await until("the fetch", 5_000, () => waiting.length > 0);
  isGone = true;
  waiting[0]!();
  expect(await read).toBe("STREAM_UNKNOWN");
  expect([reservedBytes, lost]).toEqual([0, []]);
});

test("what was stored under another key while it was read is not lost", async () => {
  [isHeld, failure] = [true, "OBJECT_DAMAGED"];
  const read = codeOf(fetched.range(file, 0, 100));
  await until("the fetch", 5_000, () => waiting.length > 0);
  key = "objects/aa/b";
  waiting[0]!();
  expect(await read).toBe("ARCHIVE_UNAVAILABLE");
  expect(lost).toEqual([]);
});

test("what the archive has lost is reported", async () => {
  failure = "OBJECT_MISSING";
  expect(await codeOf(fetched.range(file, 0, 100))).toBe("OBJECT_MISSING");
  expect(lost).toEqual([sha256]);
});

test("an object that goes while its pieces come frees their room, and is fetched anew", async () => {
  isHeld = true;
  const read = fetched.range(file, 0, 100);
  await until("the fetch", 5_000, () => waiting.length === 1);
  fetched.forget(sha256);
  waiting[0]!();
  await until("the next fetch", 5_000, () => waiting.length === 2);
  expect(reservedBytes).toBe(fetchPieceBytes);
  waiting[1]!();
  expect(await read).toEqual(fetchedFile);
  expect([pieces(), reservedBytes]).toEqual([[0, 0], fetchPieceBytes]);
  fetched.forget(sha256);
  expect(reservedBytes).toBe(0);
});

test("an object that is read again as soon as it went keeps what is fetched then", async () => {
  using folder = temporaryFolder();
  layout = new CacheLayout(folder.path);
  mkdirSync(dirname(layout.fetchedPath(sha256)), { recursive: true });
  open();
  onFetch = () => writeFileSync(layout.fetchedPath(sha256), "audio");
  for (let turn = 0; turn < 20; turn += 1) {
    const { path } = await fetched.range(file, 0, 100);
    expect(existsSync(path)).toBe(true);
    fetched.forget(sha256);
    await fetched.range(file, 0, 100);
    // A removal that was still under way would be over by then.
    await Bun.sleep(5);
    expect(existsSync(path)).toBe(true);
  }
});

test("an object that is here as a whole, and has no room, goes again", async () => {
  isWhole = true;
  maxReservedBytes = 2 * fetchPieceBytes;
  expect(await codeOf(fetched.range(file, 0, 100))).toBe("FETCHES_EXHAUSTED");
  expect([reservedBytes, fetched.here(file, 0, 100)]).toEqual([0, undefined]);
});

test("pieces that come one by one beside the whole object count once", async () => {
  [isHeld, isWhole] = [true, true];
  const reads = [0, 1].map((piece) => fetched.range(file, piece * fetchPieceBytes, 100));
  await until("both fetches", 5_000, () => waiting.length === 2);
  waiting[0]!();
  await reads[0];
  isWhole = false;
  waiting[1]!();
  await reads[1];
  expect(reservedBytes).toBe(size);
});

test("no more pieces are fetched or wait than the limits say", async () => {
  isHeld = true;
  const answers: string[] = [];
  const others = Array.from({ length: maxFetches + maxWaitingFetches + 1 }, (_, index) => {
    const path = layout.objectPath(index.toString(16).padStart(64, "0"));
    return codeOf(fetched.range({ ...file, path }, 0, 1)).then((code) => answers.push(code));
  });
  await until("one to be refused", 5_000, () => answers.length === 1);
  expect([answers, tasks.length]).toEqual([["FETCHES_EXHAUSTED"], maxFetches]);
  isHeld = false;
  for (const resolve of waiting) resolve();
  await Promise.all(others);
  expect(new Set(answers.slice(1))).toEqual(new Set(["none"]));
});

let clock: ReturnType<typeof spyOn> | undefined;
afterEach(() => void clock?.mockRestore());

test("pieces of audio that was removed go once nobody has used them for a while", async () => {
  await fetched.range(file, 0, 1);
  expect(reservedBytes).toBe(fetchPieceBytes);
  const now = performance.now.bind(performance);
  clock = spyOn(performance, "now").mockImplementation(() => now() + fetchedLookMs);
  await fetched.tidy();
  expect(fetched.here(file, 0, 1)).toEqual(fetchedFile);
  isGone = true;
  clock.mockImplementation(() => now() + 2 * fetchedLookMs - 1_000);
  await fetched.tidy();
  expect(fetched.here(file, 0, 1)).toEqual(fetchedFile);
  clock.mockImplementation(() => now() + 4 * fetchedLookMs);
  await fetched.tidy();
  expect([fetched.here(file, 0, 1), reservedBytes]).toEqual([undefined, 0]);
});
