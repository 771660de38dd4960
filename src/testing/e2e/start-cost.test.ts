/** The cost of a start does not grow with what is stored; `bun run bench:start` measures it with a million streams. */
import { expect, test } from "bun:test";
import * as fs from "node:fs";
import { MiB } from "../../base/limits/units.ts";
import { CacheLayout } from "../../store/layout.ts";
import { noMetadata } from "../../store/streams/metadata.ts";
import { SqliteCatalog } from "../../store/streams/sqlite/catalog.ts";
import { sha256 } from "../harness/bytes.ts";
import { streamInfo } from "../harness/http/streams.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

const finishedStreams = 100_000;
const unfinishedStreams = 10_000;
/** The fastest counts, since other tests may run. */
const starts = 3;
const objects = 20;
/** What a start may take longer than on an empty cache; looking at every row took seconds. */
const allowedMs = 1000;
const allowedBytes = 40 * MiB;

function fill(cacheDir: string): void {
  const layout = new CacheLayout(cacheDir);
  const catalog = new SqliteCatalog(layout.catalog);
  catalog.transaction(() => {
    for (let index = 0; index < finishedStreams; index++) enterFinished(layout, catalog, index);
    for (let index = 0; index < unfinishedStreams; index++) {
      catalog.reserve(`u${index}`, `earlier-${index}`, 1);
      fs.writeFileSync(layout.incomingPath(`earlier-${index}`), "begun");
    }
  }, true);
  catalog.close();
}

function enterFinished(layout: CacheLayout, catalog: SqliteCatalog, index: number): void {
  const audio = `audio ${String(index % objects).padStart(2, "0")}`;
  const digest = sha256(Buffer.from(audio));
  if (index < objects) {
    fs.mkdirSync(layout.objectFolder(digest), { recursive: true });
    fs.writeFileSync(layout.objectPath(digest), audio);
  }
  const stream = {
    streamId: `f${index}`,
    key: `k${index}`,
    sha256: digest,
    size: audio.length,
    format: null,
  };
  catalog.enter({ ...stream, metadata: noMetadata, audio: null, createdAt: 1, finishedAt: 1 });
}

async function restart(server: TestServer): Promise<{ readyMs: number; residentBytes: number }> {
  if (server.isRunning) await server.stop();
  const before = performance.now();
  await server.restart();
  const readyMs = performance.now() - before;
  return { readyMs, residentBytes: (await server.memory()).residentBytes };
}

async function fastestStart(server: TestServer): Promise<{ readyMs: number; residentBytes: number }> {
  const all: Awaited<ReturnType<typeof restart>>[] = [];
  while (all.length < starts) all.push(await restart(server));
  return all.toSorted((one, other) => one.readyMs - other.readyMs)[0]!;
}

test("a start on a full cache takes hardly longer, and no more memory, than on an empty one", async () => {
  await using server = await TestServer.start();
  const empty = await fastestStart(server);
  await server.stop();
  fill(server.cacheDir);
  const full = await fastestStart(server);
  expect(full.readyMs - empty.readyMs).toBeLessThan(allowedMs);
  expect(full.residentBytes - empty.residentBytes).toBeLessThan(allowedBytes);
  // Before the check has got to it: a row is settled at its first use.
  const last = `u${unfinishedStreams - 1}`;
  expect(await streamInfo(server.httpBase, last)).toMatchObject({ state: "unfinished", size: 5 });
  using peer = await AudioCachePeer.open(server.url);
  expect(await peer.resume(last)).toBe(5);
  expect((await peer.stop(last)).size).toBe(5);
  expect((await peer.read(`f${finishedStreams - 1}`, 0, 100)).toString()).toBe("audio 19");
  await until("the end of the check", 60_000, () => server.log.includes("the store has been checked"));
  await server.untilLogged(/settledRows=\d+ removedRows=0 .*damagedStreams=0 .*orphanFiles=0/);
}, 120_000);
