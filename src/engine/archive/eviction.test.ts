import { beforeEach, expect, test } from "bun:test";
import { openLog } from "../../base/log/log.ts";
import type { KeeperClient } from "../../pool/keeper-client.ts";
import { until } from "../../testing/harness/until.ts";
import { Eviction, type EvictionHost } from "./eviction.ts";

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
let limits: { localBytes: number; minFreeBytes: number | undefined };

beforeEach(() => {
  copies = ["a", "b", "c", "d"].map((name, usedAt) => ({
    sha256: name,
    size: 100,
    usedAt,
    streamIds: [name],
  }));
  [otherBytes, evictions, left, inUse] = [0, [], [], new Set()];
  limits = { localBytes: 1000, minFreeBytes: undefined };
});

const localBytes = () => otherBytes + copies.reduce((sum, { size }) => sum + size, 0);

function evict(sha256s: string[]) {
  evictions.push(sha256s);
  const gone = copies.filter(({ sha256 }) => sha256s.includes(sha256));
  copies = copies.filter((each) => !gone.includes(each));
  return gone;
}

const call = async (name: string, args: { sha256s: string[]; after: { usedAt: number }; limit: number }) => {
  if (name === "evict") return evict(args.sha256s);
  return copies.filter(({ usedAt }) => usedAt > args.after.usedAt).slice(0, args.limit);
};

function start(): Eviction {
  const host: EvictionHost = {
    keeper: { call } as unknown as Pick<KeeperClient, "call">,
    fetched: { drop: () => 0, tidy: async () => {} },
    folder: "/",
    localBytes,
    isInUse: (streamId) => inUse.has(streamId),
    leave: (objects) => left.push(...objects.map(({ sha256 }) => sha256)),
    evicted: () => {},
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
