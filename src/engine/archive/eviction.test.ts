import { beforeEach, expect, test } from "bun:test";
import { openLog } from "../../base/log/log.ts";
import type { KeeperClient } from "../../pool/keeper-client.ts";
import { until } from "../../testing/harness/until.ts";
import { Eviction, type EvictionHost } from "./eviction.ts";
import { ObjectCopies } from "./object-copies.ts";
import { RecordingCopies } from "./recording-copies.ts";

interface Copy {
  sha256: string;
  size: number;
  usedAt: number;
  streamIds: string[];
}

let copies: Copy[];
let otherBytes: number;
let evictions: string[][];
let left: string[];
let inUse: Set<string>;
/** Recordings by their last use, 50 bytes each. */
let recordings: number[];
let recordingsInUse: Set<number>;
let limits: { localBytes: number; totalBytes: number | undefined; minFreeBytes: number | undefined };

beforeEach(() => {
  copies = ["a", "b", "c", "d"].map((name, usedAt) => ({
    sha256: name,
    size: 100,
    usedAt,
    streamIds: [name],
  }));
  [otherBytes, evictions, left, inUse] = [0, [], [], new Set()];
  [recordings, recordingsInUse] = [[], new Set()];
  limits = { localBytes: 1000, totalBytes: undefined, minFreeBytes: undefined };
});

const localBytes = () => otherBytes + copies.reduce((sum, { size }) => sum + size, 0);

function evict(sha256s: string[]) {
  evictions.push(sha256s);
  const gone = copies.filter(({ sha256 }) => sha256s.includes(sha256));
  copies = copies.filter((each) => !gone.includes(each));
  return gone;
}

function evictRecordings(ids: number[]) {
  evictions.push(ids.map(String));
  recordings = recordings.filter((id) => !ids.includes(id));
  return { count: ids.length, bytes: 50 * ids.length };
}

interface Args {
  sha256s: string[];
  ids: number[];
  after: { usedAt: number };
  limit: number;
}

async function call(name: string, args: Args) {
  if (name === "evict") return evict(args.sha256s);
  if (name === "evictRecordings") return evictRecordings(args.ids);
  const rows =
    name === "evictable" ? copies : recordings.map((usedAt) => ({ id: usedAt, name: "r", size: 50, usedAt }));
  return rows.filter(({ usedAt }) => usedAt > args.after.usedAt).slice(0, args.limit);
}

function start(): Eviction {
  const keeper = { call } as unknown as Pick<KeeperClient, "call">;
  const host: EvictionHost = {
    objects: new ObjectCopies({
      keeper,
      isInUse: (streamId) => inUse.has(streamId),
      leave: (objects) => left.push(...objects.map(({ sha256 }) => sha256)),
      evicted: () => {},
    }),
    recordings: new RecordingCopies({
      keeper,
      folder: "/recordings",
      isInUse: (id) => recordingsInUse.has(id),
      evicted: () => {},
    }),
    fetched: { drop: () => 0, tidy: async () => {} },
    folders: { cache: "/", recordings: "/" },
    localBytes: () => ({ cache: localBytes(), recordings: 50 * recordings.length }),
  };
  const eviction = new Eviction(host, limits, openLog("test"));
  eviction.open();
  return eviction;
}

test("nothing goes below the limit", async () => {
  await start().close();
  expect(evictions).toEqual([]);
});

test("what was used least recently goes first, until a tenth of the limit is free", async () => {
  limits.localBytes = 390;
  const eviction = start();
  await until("the eviction", 5_000, () => eviction.evicted.count === 1);
  await eviction.close();
  expect([evictions, left, eviction.evicted]).toEqual([[["a"]], ["a"], { count: 1, bytes: 100 }]);
});

test("what is being read stays, and the next one goes", async () => {
  limits.localBytes = 390;
  inUse.add("a");
  const eviction = start();
  await until("the eviction", 5_000, () => evictions.length === 1);
  await eviction.close();
  expect(evictions).toEqual([["b"]]);
});

test("an object with very many streams stays, since nobody knows all its readers", async () => {
  limits.localBytes = 390;
  copies[0]!.streamIds = Array.from({ length: 100 }, (_, index) => `s${index}`);
  const eviction = start();
  await until("the eviction", 5_000, () => evictions.length === 1);
  await eviction.close();
  expect(evictions).toEqual([["b"]]);
});

test("a disk with too little free space loses copies, whatever the limit", async () => {
  limits.minFreeBytes = Number.MAX_SAFE_INTEGER;
  const eviction = start();
  await until("all copies to go", 5_000, () => copies.length === 0);
  await eviction.close();
});

test("an upload that needs room gets it, and is refused once nothing is left to go", async () => {
  const eviction = start();
  await until("the first look", 5_000, () => eviction.reclaim(150));
  await until("two copies to go", 5_000, () => copies.length === 2);
  inUse = new Set(["c", "d"]);
  await until("the refusal", 5_000, () => !eviction.reclaim(150));
  expect(copies.map(({ sha256 }) => sha256)).toEqual(["c", "d"]);
  await eviction.close();
});

test("recordings stay whatever the limit of the cache, and go with the rest once both together have one", async () => {
  [recordings, limits.localBytes] = [[0.5, 1.5, 2.5], 390];
  const eviction = start();
  await until("the eviction", 5_000, () => eviction.evicted.count === 1);
  await eviction.close();
  expect(recordings).toEqual([0.5, 1.5, 2.5]);
  limits.totalBytes = 400;
  limits.localBytes = 1000;
  const both = start();
  await until("the eviction of either", 5_000, () => both.evicted.bytes >= 90);
  await both.close();
  expect([recordings, copies.map(({ sha256 }) => sha256)]).toEqual([
    [1.5, 2.5],
    ["c", "d"],
  ]);
});

test("a recording that is being read stays, and the next copy of any kind goes", async () => {
  [recordings, limits.totalBytes] = [[0.1, 0.2, 3.5], 540];
  recordingsInUse.add(0.1);
  copies = copies.slice(1);
  otherBytes = 100;
  const eviction = start();
  await until("the eviction", 5_000, () => eviction.evicted.count === 2);
  await eviction.close();
  expect([recordings, copies.map(({ sha256 }) => sha256)]).toEqual([
    [0.1, 3.5],
    ["c", "d"],
  ]);
});
