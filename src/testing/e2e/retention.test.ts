/** Retention of streams, from outside: eviction in time, pins and reads. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Random } from "../harness/bytes.ts";
import { debrisAfterCheck, filesUnder } from "../harness/cache-folder.ts";
import { pinStream, retentionPlan } from "../harness/http/retention.ts";
import { listStreams, streamInfo } from "../harness/http/streams.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { canMountSmallDisk, diskSpace, onSmallDisk } from "../harness/small-disk.ts";
import { until } from "../harness/until.ts";

useServers();
const MiB = 1024 * 1024;
const limitMs = 10_000;

async function upload(server: TestServer, id: string, bytes: number, seed = 1): Promise<void> {
  using peer = await AudioCachePeer.open(server.url);
  await peer.upload(id, new Random(seed).bytes(bytes));
}

async function idsOf(server: TestServer): Promise<string[]> {
  return (await listStreams(server.httpBase)).map(({ streamId }) => streamId);
}

/** Uploads ten times what fits, over four connections, and returns the most that was in use, and the least that was free. */
async function overcommit(server: TestServer): Promise<{ usedBytes: number; freeBytes: number }> {
  const watched = { isOver: false };
  const extremes = { usedBytes: 0, freeBytes: Infinity };
  const watch = async () => {
    while (!watched.isOver) {
      const { usedBytes, freeBytes } = await diskSpace(server);
      extremes.usedBytes = Math.max(extremes.usedBytes, usedBytes);
      extremes.freeBytes = Math.min(extremes.freeBytes, freeBytes);
      await Bun.sleep(2);
    }
  };
  const uploadMany = async (worker: number) => {
    for (let each = 1; each <= 50; each += 1)
      await upload(server, `w${worker}-${each}`, MiB, worker * 100 + each);
  };
  const watching = watch();
  await Promise.all([0, 1, 2, 3].map(uploadMany)).finally(() => (watched.isOver = true));
  await watching;
  return extremes;
}

/** Bytes of files that hold no audio. */
async function otherBytes(server: TestServer): Promise<number> {
  const files = await filesUnder(join(`/proc/${server.pid}/root`, server.cacheDir));
  const others = files.filter(({ path }) => !/^(?:objects-v1|incoming)\//.test(path));
  return others.reduce((sum, { size }) => sum + Math.ceil(size / 4096) * 4096, 0);
}

const withDisk = describe.if(canMountSmallDisk());

withDisk("ten times as much as fits", () => {
  test("is taken by a cache that evicts, which never holds more than its limit", async () => {
    const limit = 20 * MiB;
    await using server = await TestServer.start({ ...onSmallDisk(64), flags: { "keep-streams": limit } });
    const { usedBytes } = await overcommit(server);
    // The catalog, the journal and the block checksums come on top; these files do not shrink.
    const audioBytes = usedBytes - (await otherBytes(server));
    expect(audioBytes).toBeGreaterThan(limit / 2);
    expect(audioBytes).toBeLessThanOrEqual(limit * 1.01);
    expect(server.log).not.toContain("is full");
  });

  test("is taken by a disk that is kept free, which never runs full", async () => {
    const minFree = 20 * MiB;
    await using server = await TestServer.start({ ...onSmallDisk(48), flags: { "min-free": minFree } });
    // The log of the catalog grows to its full size first.
    for (let each = 0; each < 60; each += 1) await upload(server, `first-${each}`, MiB / 2, each + 1);
    await server.untilLogged("reason=min-free");
    const { freeBytes } = await overcommit(server);
    expect(freeBytes).toBeLessThan(minFree * 1.5);
    expect(freeBytes).toBeGreaterThan(minFree - 48 * MiB * 0.01);
    expect(server.log).not.toContain("is full");
  });
});

describe("a policy about a part of the streams", () => {
  test("evicts of its pattern alone, as soon as it holds too much", async () => {
    const policy = "streams/radio-* evict 4MiB";
    await using server = await TestServer.start({ flags: { policy } });
    for (const [index, id] of ["talk-1", "radio-1", "radio-2"].entries())
      await upload(server, id, 2.5 * MiB, index + 1);
    await until(
      "radio-1 to go",
      limitMs,
      async () => !(await idsOf(server)).includes("radio-1") || undefined,
    );
    expect(await idsOf(server)).toEqual(["radio-2", "talk-1"]);
  });
});

describe("a cache that evicts", () => {
  test("keeps what is pinned or was read last, and lists beforehand what goes", async () => {
    await using server = await TestServer.start({ flags: { "keep-streams": 10 * MiB } });
    for (const [index, id] of ["a", "b", "c", "d"].entries()) await upload(server, id, 2 * MiB, index + 1);
    expect(await pinStream(server.httpBase, "a")).toBe(204);
    await fetch(`${server.httpBase}/api/streams/b/audio`).then((answer) => answer.arrayBuffer());
    expect((await retentionPlan(server.httpBase)).removals).toEqual([]);
    await upload(server, "e", 1.5 * MiB, 5);
    await until("c to be evicted", limitMs, async () => !(await idsOf(server)).includes("c") || undefined);
    expect(await idsOf(server)).toEqual(["a", "b", "d", "e"]);
    expect(await streamInfo(server.httpBase, "c")).toBeUndefined();
    expect(await debrisAfterCheck(server.cacheDir, server.httpBase)).toEqual([]);
  });
});
