import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type ErrorCode, WavecacheError } from "../../base/errors.ts";
import { openLog } from "../../base/log/log.ts";
import { scrubPieceBytes } from "../../base/limits/streams.ts";
import type { Pool } from "../../pool/pool.ts";
import type { KeeperArgs, KeeperCall, KeeperResult } from "../../store/keeper-calls.ts";
import { CacheLayout } from "../../store/layout.ts";
import type { StoredObject } from "../../store/streams/catalog.ts";
import type { ScrubState } from "../../store/streams/scrub-state.ts";
import { until } from "../../testing/harness/until.ts";
import { Scrub } from "./scrub.ts";

const layout = new CacheLayout("cache");
const dayMs = 24 * 3600 * 1000;
const waitMs = 10_000;

/** A store whose objects are only names. */
class FakeStore {
  objects: StoredObject[] = [];
  state: ScrubState = { after: undefined, finishedAt: undefined };
  /** SHA-256 of each object that was begun, with the bytes that were checked. */
  readonly checked: [string, number][] = [];
  readonly failures = new Map<string, ErrorCode>();
  readonly disproved: string[] = [];
  readonly forgotten: string[] = [];
  swept = 0;
  threads = 0;
  /** Called with each piece. */
  onCheck: () => void = () => {};

  readonly pool = {
    keeper: { call: <C extends KeeperCall>(call: C, args: KeeperArgs<C>) => this.#call(call, args) },
    readers: {
      startScrubber: () => {
        this.threads += 1;
        return { check: this.#check, forget: (path: string) => void this.forgotten.push(path) };
      },
      stopScrubber: async () => void (this.threads -= 1),
    },
  } as unknown as Pick<Pool, "keeper" | "readers">;

  #check = async (path: string, offset: number, length: number): Promise<void> => {
    const sha256 = path.slice(path.lastIndexOf("/") + 1);
    if (offset === 0) this.checked.push([sha256, 0]);
    this.checked.at(-1)![1] += length;
    this.onCheck();
    const failure = this.failures.get(sha256);
    if (failure !== undefined) throw new WavecacheError(failure);
  };

  async #call<C extends KeeperCall>(call: C, args: KeeperArgs<C>): Promise<KeeperResult<C>> {
    return this.#answer(call, args as never) as KeeperResult<C>;
  }

  #answer(call: KeeperCall, args: never): unknown {
    switch (call) {
      case "scrubState":
        return this.state;
      case "saveScrubState":
        this.state = args;
        return null;
      case "sweepSums":
        this.swept += 1;
        return 0;
      case "nextObjects": {
        const { after, limit } = args as KeeperArgs<"nextObjects">;
        return this.objects.filter(({ sha256 }) => sha256 > after).slice(0, limit);
      }
      default:
        throw new Error(`an unexpected call: ${call}`);
    }
  }
}

function object(digit: string, size = 10, isDamaged = false): StoredObject {
  return { sha256: digit.repeat(64), size, isDamaged };
}

let store: FakeStore;
let scrub: Scrub;

function open(intervalMs: number | undefined): Scrub {
  const host = {
    objectBytes: () => store.objects.reduce((sum, { size }) => sum + size, 0),
    disproved: async (sha256: string) => void store.disproved.push(sha256),
  };
  scrub = new Scrub(store.pool, layout, { intervalMs, delayMs: 0 }, host, openLog("test"));
  scrub.start();
  return scrub;
}

beforeEach(() => {
  store = new FakeStore();
});
afterEach(() => scrub.close());

describe("the scrub", () => {
  test("verifies each object once, in pieces, and notes when it ended", async () => {
    store.objects = [object("1"), object("2", 2 * scrubPieceBytes + 1), object("3")];
    open(30 * dayMs);
    await until("the end of the pass", waitMs, () => store.state.finishedAt !== undefined);
    expect(store.checked).toEqual(store.objects.map(({ sha256, size }) => [sha256, size]));
    expect(store.forgotten).toEqual(store.objects.map(({ sha256 }) => layout.objectPath(sha256)));
    expect([scrub.objects, scrub.bytes, store.swept]).toEqual([3, 2 * scrubPieceBytes + 21, 256]);
    await until("the end of its thread", waitMs, () => store.threads === 0 && !scrub.isRunning);
    expect(store.state.after).toBeUndefined();
  });

  test("begins the next pass when it is due, and not before", async () => {
    store.objects = [object("1")];
    store.state = { after: undefined, finishedAt: Date.now() - 1000 };
    open(30 * dayMs);
    await until("its look at the catalog", waitMs, () => scrub.finishedAt !== undefined);
    expect(store.checked).toEqual([]);
    await scrub.close();
    open(50);
    await until("two passes", waitMs, () => store.checked.length === 2);
  });

  test("begins a pass if the last one ended in the future: the clock was set", async () => {
    store.objects = [object("1")];
    store.state = { after: undefined, finishedAt: Date.now() + dayMs };
    open(30 * dayMs);
    await until("the object", waitMs, () => store.checked.length === 1);
  });

  test("is off without an interval, and waits while the cache is empty", async () => {
    store.objects = [object("1")];
    open(undefined);
    await scrub.close();
    store.objects = [];
    open(dayMs);
    await scrub.close();
    expect([store.checked, store.state.finishedAt, store.threads]).toEqual([[], undefined, 0]);
  });

  test("continues after the object at which it was closed", async () => {
    store.objects = ["1", "2", "3", "4"].map((digit) => object(digit));
    store.onCheck = () => {
      if (store.checked.length === 2) void scrub.close();
    };
    open(dayMs);
    await until("the end of the first run", waitMs, () => store.checked.length === 2 && store.threads === 0);
    expect(store.state).toEqual({ after: "1".repeat(64), finishedAt: undefined });
    store.onCheck = () => {};
    open(dayMs);
    await until("the end of the pass", waitMs, () => store.state.finishedAt !== undefined);
    expect(store.checked.map(([sha256]) => sha256[0])).toEqual(["1", "2", "2", "3", "4"]);
  });

  test("goes on after damaged objects, and clears a mark that is wrong", async () => {
    store.objects = [object("1", 10, true), object("2"), object("3", 10, true), object("4")];
    store.failures.set("2".repeat(64), "OBJECT_DAMAGED");
    store.failures.set("3".repeat(64), "OBJECT_MISSING");
    open(dayMs);
    await until("the end of the pass", waitMs, () => store.state.finishedAt !== undefined);
    expect(store.checked).toHaveLength(4);
    expect(store.disproved).toEqual(["1".repeat(64)]);
  });

  test("stops when its thread dies, and keeps its place", async () => {
    store.objects = [object("1"), object("2")];
    store.failures.set("2".repeat(64), "WORKER_LOST");
    open(dayMs);
    await until("the end of its thread", waitMs, () => store.checked.length === 2 && store.threads === 0);
    expect(store.state.finishedAt).toBeUndefined();
  });

  test("reads 1 MiB a second of a small cache, and faster if the interval demands it", async () => {
    store.objects = [object("1", 512 * 1024)];
    open(30 * dayMs);
    const began = performance.now();
    await until("the end of the pass", waitMs, () => scrub.objects === 1);
    expect(performance.now() - began).toBeGreaterThan(450);
    await scrub.close();
    store.objects = [object("2", 512 * 1024)];
    const again = performance.now();
    open(50);
    await until("the end of the second pass", waitMs, () => scrub.objects === 1);
    expect(performance.now() - again).toBeLessThan(400);
  });
});
