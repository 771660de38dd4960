/** What docs/cluster.md says that the engines are asked for: round trips to PostgreSQL, requests to the object store. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { projectFolder } from "../../base/project-folder.ts";
import { Random } from "../harness/bytes.ts";
import { scrape } from "../harness/http/exposition.ts";
import { removeStream } from "../harness/http/streams.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { hasObjectStore, ObjectStore } from "../harness/servers/object-store.ts";
import { PostgresMeter } from "../harness/servers/postgres-meter.ts";
import { postgresPrograms, postgresServer } from "../harness/servers/postgres.ts";
import { until } from "../harness/until.ts";

useServers();

const MiB = 1024 * 1024;
const limitMs = 15_000;
const maxAttempts = 5;

/** Rows of the table under a heading: what, round trips, statements. */
async function documented(heading: string): Promise<Map<string, string>> {
  const page = await Bun.file(join(projectFolder, "docs/cluster.md")).text();
  const section = page.slice(page.indexOf(`\n${heading}\n`));
  const rows = section.matchAll(/^\| ([^|]+?) +\| (\d+) +\| (\d+) +\|$/gm);
  return new Map([...rows].map(([, what, trips, statements]) => [what!, `${trips} ${statements}`]));
}

async function get(server: TestServer, path: string): Promise<void> {
  const response = await fetch(server.httpBase + path);
  expect(response.status).toBe(200);
  await response.arrayBuffer();
}

describe.skipIf(postgresPrograms === undefined)("a catalog in PostgreSQL", () => {
  test("is asked as often as the documentation says", async () => {
    const url = postgresServer().createSchema();
    using meter = await PostgresMeter.open(url);
    await using server = await TestServer.start({ flags: { catalog: meter.urlThrough(url) } });
    using peer = await AudioCachePeer.open(server.url);
    await peer.upload("first", new Random(1).bytes(1000));
    const rows = await documented("### Round trips");
    /** What nodes do by themselves comes between now and then, so the fewest of some tries count. */
    const expectDocumented = async (what: string, act: (attempt: number) => Promise<unknown>) => {
      const measured = new Set<string>();
      for (let attempt = 0; attempt < maxAttempts && !measured.has(rows.get(what)!); attempt += 1) {
        await settled(meter);
        meter.take();
        await act(attempt);
        await settled(meter);
        const trips = meter.take();
        const statements = trips.reduce((sum, trip) => sum + trip.statements.length, 0);
        measured.add(`${trips.length} ${statements}`);
      }
      expect([what, ...measured]).toContain(rows.get(what)!);
    };
    await expectDocumented("an upload begins", (attempt) => peer.start(`stream-${attempt}`));
    await expectDocumented("an upload ends", async (attempt) => {
      const id = `ending-${attempt}`;
      await peer.start(id);
      await peer.sendAudio(new Random(10 + attempt).bytes(100_000));
      await settled(meter);
      meter.take();
      await peer.stop(id);
    });
    await expectDocumented("later reads of it", () => get(server, "/api/streams/ending-0/audio"));
    await expectDocumented("a page of a list", () => get(server, "/api/streams?limit=100"));
    await expectDocumented("a page of a search", () => get(server, "/api/streams?q=ending&sort=-created"));
    await expectDocumented("a stream is removed", async (attempt) => {
      await peer.upload(`going-${attempt}`, new Random(20 + attempt).bytes(1000));
      await settled(meter);
      meter.take();
      await removeStream(server.httpBase, `going-${attempt}`);
    });
    await expectDocumented("the first read of a stream, or of its name", async () => {
      await server.restart();
      await settled(meter);
      meter.take();
      await get(server, "/api/streams/first/audio");
    });
  }, 60_000);
});

/** The keeper does more after its answer: audio is looked at, events are announced. */
async function settled(meter: PostgresMeter): Promise<void> {
  const quietMs = 250;
  let count = meter.trips.length;
  let sinceMs = performance.now();
  await until("no more round trips", limitMs, () => {
    if (meter.trips.length !== count) [count, sinceMs] = [meter.trips.length, performance.now()];
    return performance.now() - sinceMs >= quietMs;
  });
}

describe.if(hasObjectStore)("an object store", () => {
  test("gets as many requests as the documentation says", async () => {
    await using store = await ObjectStore.start();
    const flags = { ...store.flags, "archive-local-bytes": 1 };
    await using server = await TestServer.start({ flags, env: store.env });
    using peer = await AudioCachePeer.open(server.url);
    await until("the list of a start", limitMs, () => store.requests.length === 1);
    const take = () => {
      const counts: Record<string, number> = {};
      for (const { method } of store.requests.splice(0)) counts[method] = (counts[method] ?? 0) + 1;
      return counts;
    };
    expect(take()).toEqual({ GET: 1 });
    let objects = 0;
    const archived = async (id: string, audio: Uint8Array, requests: number) => {
      await peer.upload(id, audio);
      await until(`${requests} requests for ${id}`, limitMs, () => store.requests.length >= requests);
      await untilEvicted(server, (objects += 1));
      return take();
    };
    expect(await archived("short", new Random(3).bytes(MiB), 1)).toEqual({ PUT: 1 });
    expect(await archived("medium", new Random(4).bytes(2 * MiB), 2)).toEqual({ PUT: 2 });
    expect(await archived("long", new Random(5).bytes(40 * MiB), 6)).toEqual({ POST: 2, PUT: 4 });
    await get(server, "/api/streams/medium/audio");
    expect(take()).toEqual({ GET: 2 });
    await get(server, "/api/streams/medium/audio");
    expect(take()).toEqual({});
    await removeStream(server.httpBase, "short");
    await until("the removal", limitMs, () => store.requests.length > 0);
    await removeStream(server.httpBase, "medium");
    await until("the other removal", limitMs, () => store.requests.length === 3);
    expect(take()).toEqual({ DELETE: 3 });
  });
});

async function untilEvicted(server: TestServer, objects: number): Promise<void> {
  await until(`${objects} objects in the archive alone`, limitMs, async () => {
    const metrics = await scrape(server.httpBase);
    return metrics?.sum("wavecache_archive_evicted_objects_total") === objects;
  });
}
