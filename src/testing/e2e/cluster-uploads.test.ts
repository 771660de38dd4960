/** Uploads that begin at one node and end at another: the catalog in PostgreSQL, the parts in an S3 store. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { bytesSource } from "../../client/audio-source.ts";
import { connect } from "../../client/v1/bun.ts";
import { quickRetry } from "../fixtures/client.ts";
import { Random, sha256 } from "../harness/bytes.ts";
import { scrape } from "../harness/http/exposition.ts";
import { streamIdOf, TusPeer } from "../harness/http/tus.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { hasObjectStore, ObjectStore } from "../harness/servers/object-store.ts";
import { postgresPrograms, postgresServer } from "../harness/servers/postgres.ts";
import { TcpProxy } from "../harness/tcp-proxy.ts";
import { until } from "../harness/until.ts";

useServers();
const MiB = 1024 * 1024;
const limitMs = 18_000;
const hasEngines = hasObjectStore && postgresPrograms !== undefined;
const audio = new Random(81).bytes(40 * MiB + 7);
const sentBytes = 36 * MiB;
/** Two parts of what was sent. */
const storedBytes = 32 * MiB;

const portOf = (url: string) => Number(new URL(url).port);

let store: ObjectStore;
let flags: Record<string, string>;

function start(env: Record<string, string> = {}): Promise<TestServer> {
  return TestServer.start({ flags, env: { ...store.env, ...env } });
}

async function untilParts(server: TestServer, count: number): Promise<void> {
  await until("the parts", limitMs, async () => {
    const metrics = await scrape(server.httpBase);
    return metrics?.sum("wavecache_archive_upload_parts_total") === count;
  });
}

async function kill(server: TestServer): Promise<void> {
  await server.kill9();
  postgresServer().expireLeases(flags["catalog"]!);
}

/** The archive has the audio once, and nothing else. */
async function expectOnly(bytes: Uint8Array): Promise<void> {
  const audioKeys = async () => (await store.keys()).filter((key) => !key.startsWith("sums/"));
  await until("one object", limitMs, async () => (await audioKeys()).length === 1);
  expect(sha256(store.bytesOf((await audioKeys())[0]!))).toBe(sha256(bytes));
  await until("no upload in parts", limitMs, async () => (await store.unfinishedUploads()) === 0);
}

async function read(server: TestServer, id: string): Promise<string> {
  const answer = await fetch(`${server.httpBase}/api/streams/${id}/audio`);
  expect(answer.status).toBe(200);
  return sha256(await answer.bytes());
}

/** An upload at `server` of which the archive has two parts. */
async function begin(server: TestServer, id: string): Promise<AudioCachePeer> {
  const peer = await AudioCachePeer.open(server.url);
  await peer.start(id);
  await peer.sendAudio(audio.subarray(0, sentBytes));
  await untilParts(server, 2);
  return peer;
}

/** Resumes and ends the upload. Returns the offset. */
async function finish(server: TestServer, id: string): Promise<number> {
  using peer = await AudioCachePeer.open(server.url);
  const offset = await peer.resume(id);
  await peer.sendAudio(audio.subarray(offset));
  const { sha256: found } = await peer.stop(id, limitMs);
  expect(found).toBe(sha256(audio));
  return offset;
}

beforeEach(async () => {
  if (!hasEngines) return;
  store = await ObjectStore.start();
  flags = { ...store.flags, acknowledge: "archived", catalog: postgresServer().createSchema() };
});
afterEach(async () => {
  if (hasEngines) await store[Symbol.asyncDispose]();
});

describe.if(hasEngines)("an upload of a node that was killed", () => {
  test("continues at another at its last stored part, over the audio cache protocol", async () => {
    await using a = await start();
    await using b = await start();
    using _peer = await begin(a, "moved");
    await kill(a);
    expect(await finish(b, "moved")).toBe(storedBytes);
    expect(await read(b, "moved")).toBe(sha256(audio));
    await expectOnly(audio);
    await a.restart();
    await a.untilLogged("the store has been checked");
    expect(await read(a, "moved")).toBe(sha256(audio));
  });

  test("continues over protocol v1, whose client finds the other node by itself", async () => {
    await using a = await start();
    await using b = await start();
    using proxy = await TcpProxy.open(portOf(a.url));
    const retry = { ...quickRetry, retries: 500 };
    const client = await connect(`ws://127.0.0.1:${proxy.port}/audio`, { retry });
    const offsets: number[] = [];
    const onOpen = (offset: number) => void offsets.push(offset);
    const { promise: killed, resolve } = Promise.withResolvers<void>();
    const long = new Uint8Array(new Random(82).bytes(100_000_000));
    const whole = bytesSource(long);
    const read: typeof whole.read = async (offset, length) => {
      if (offset >= long.length / 2) await killed;
      return await whole.read(offset, length);
    };
    const receipt = client.upload({ ...whole, read }, { id: "moved", onOpen });
    await untilParts(a, 2);
    proxy.forwardTo(portOf(b.url));
    await kill(a);
    resolve();
    expect((await receipt).sha256).toBe(sha256(long));
    expect(offsets).toEqual([0, storedBytes]);
    client.close();
    await expectOnly(long);
  });

  test("continues over tus", async () => {
    await using a = await start();
    await using b = await start();
    const path = await new TusPeer(a.httpBase).create(audio.length);
    const sent = new TusPeer(a.httpBase).patch(path, 0, audio.subarray(0, sentBytes));
    expect((await sent).status).toBe(204);
    await untilParts(a, 2);
    await kill(a);
    const tus = new TusPeer(b.httpBase);
    const offset = await tus.offset(path);
    expect(offset).toBe(storedBytes);
    expect((await tus.patch(path, offset, audio.subarray(offset))).status).toBe(204);
    expect(await read(b, streamIdOf(path))).toBe(sha256(audio));
    await expectOnly(audio);
  });

  test("begins again at another if it had no whole part", async () => {
    await using a = await start();
    await using b = await start();
    using peer = await AudioCachePeer.open(a.url);
    await peer.start("moved");
    await peer.sendAudio(audio.subarray(0, 5 * MiB));
    await peer.untilReceived("moved", 5 * MiB);
    await kill(a);
    expect(await finish(b, "moved")).toBe(0);
    await expectOnly(audio);
  });
});

describe.if(hasEngines)("an upload that is being brought to a node", () => {
  test.each(["restore.1", "restore.2", "restore.3", "restore.entering"])(
    "continues after that node was killed at %s, at this node or at a third one",
    async (point) => {
      await using a = await start();
      await using b = await start({ WAVECACHE_FAILPOINTS: `${point}=kill` });
      await using c = await start();
      using _peer = await begin(a, "moved");
      await kill(a);
      using lost = await AudioCachePeer.open(b.url);
      await lost.resume("moved").catch(() => undefined);
      await b.waitForExit(limitMs);
      postgresServer().expireLeases(flags["catalog"]!);
      const next = point === "restore.2" || point === "restore.entering" ? c : b;
      if (next === b) await b.restart({ flags, env: store.env });
      expect(await finish(next, "moved")).toBe(storedBytes);
      await expectOnly(audio);
    },
  );

  test("lets its client come again if the object store is slow", async () => {
    await using a = await start();
    await using b = await start();
    using _peer = await begin(a, "moved");
    await kill(a);
    store.delayMs = 2_500;
    using early = await AudioCachePeer.open(b.url);
    early.send({ type: "START", streamId: "moved", resume: true });
    await early.expectError(/being brought here/, limitMs);
    store.delayMs = 0;
    await b.untilLogged("an upload was brought here");
    expect(await finish(b, "moved")).toBe(storedBytes);
    await expectOnly(audio);
  });

  test("continues from what is right if a part is damaged in the archive", async () => {
    await using a = await start();
    await using b = await start();
    using _peer = await begin(a, "moved");
    await kill(a);
    let gets = 0;
    store.fault = ({ method, path }) => {
      if (method === "GET" && path.startsWith("uploads/")) gets += 1;
      return method === "GET" && gets > 1 ? "corrupt" : "pass";
    };
    expect(await finish(b, "moved")).toBe(16 * MiB);
    store.fault = () => "pass";
    await expectOnly(audio);
  });
});
