/** Audio that is in the archive alone is read as any other, over every protocol. */
import { describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { Random, sha256 } from "../harness/bytes.ts";
import { storedObjects } from "../harness/cache-folder.ts";
import { requestAudio } from "../harness/http/audio-http.ts";
import { streamInfo } from "../harness/http/streams.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { fetchSong } from "../harness/peers/song-peer.ts";
import { V1Peer } from "../harness/peers/v1.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { hasObjectStore, ObjectStore } from "../harness/servers/object-store.ts";
import { until } from "../harness/until.ts";

useServers();
const MiB = 1024 * 1024;
const limitMs = 15_000;

const audio = new Random(1).bytes(5 * MiB + 12_345);
const more = new Random(2).bytes(600_000);

async function upload(server: TestServer, id: string, bytes: Uint8Array): Promise<void> {
  using peer = await AudioCachePeer.open(server.url);
  await peer.upload(id, bytes);
}

/** A server that keeps nothing here that the archive has: both streams are in the archive alone. */
async function startEvicted(
  store: ObjectStore,
  flags: Record<string, string | number> = {},
): Promise<TestServer> {
  const server = await TestServer.start({
    flags: { ...store.flags, "archive-local-bytes": 1, ...flags },
    env: store.env,
  });
  await upload(server, "long", audio);
  await upload(server, "short", more);
  await until("both to leave", limitMs, async () => (await storedObjects(server.cacheDir)).length === 0);
  return server;
}

const withStore = describe.if(hasObjectStore);

withStore("audio in the archive alone", () => {
  test("is read over both WebSocket protocols, and over HTTP as a whole and by range", async () => {
    await using store = await ObjectStore.start();
    await using server = await startEvicted(store);
    using peer = await AudioCachePeer.open(server.url);
    expect(sha256(await peer.download("short", more.length))).toBe(sha256(more));
    expect(sha256(await peer.download("long", audio.length))).toBe(sha256(audio));
    const v1 = await V1Peer.open(server.url);
    const read = await v1.read(1, "long", 1_500_000, 2_000_000);
    expect(sha256(read.audio)).toBe(sha256(audio.subarray(1_500_000, 3_500_000)));
    const whole = await requestAudio(server.httpBase, "/api/streams/long/audio");
    expect([whole.status, sha256(whole.body)]).toEqual([200, sha256(audio)]);
    const headers = { range: "bytes=4000000-4999999" };
    const range = await requestAudio(server.httpBase, "/api/streams/long/audio", { headers });
    expect([range.status, sha256(range.body)]).toEqual([206, sha256(audio.subarray(4_000_000, 5_000_000))]);
  });

  test("is fetched piece by piece: a seek costs one piece, and who asks at the same time shares it", async () => {
    await using store = await ObjectStore.start();
    await using server = await startEvicted(store);
    store.requests.length = 0;
    store.delayMs = 100;
    const read = async () => {
      using peer = await AudioCachePeer.open(server.url);
      return await peer.read("long", 3 * MiB + 500, 1000);
    };
    const all = await Promise.all([read(), read(), read()]);
    for (const bytes of all)
      expect(bytes).toEqual(Buffer.from(audio.subarray(3 * MiB + 500, 3 * MiB + 1500)));
    expect(store.count("GET", "objects/")).toBe(1);
    expect(store.count("GET", "sums/")).toBe(0);
  });

  test("is verified without local checksums, too", async () => {
    await using store = await ObjectStore.start();
    await using server = await startEvicted(store);
    rmSync(join(server.cacheDir, "sums-v1"), { recursive: true });
    using peer = await AudioCachePeer.open(server.url);
    expect(sha256(await peer.download("long", audio.length))).toBe(sha256(audio));
    expect(sha256(await peer.download("short", more.length))).toBe(sha256(more));
    expect(store.count("GET", "sums/")).toBe(1);
  });

  test("is not served if it is damaged there: the piece is fetched once more, then reported", async () => {
    await using store = await ObjectStore.start();
    await using server = await startEvicted(store);
    store.requests.length = 0;
    store.fault = ({ method }) => (method === "GET" ? "corrupt" : "pass");
    const damaged = await requestAudio(server.httpBase, "/api/streams/short/audio");
    expect([damaged.status, damaged.body.toString()]).toEqual([
      500,
      expect.stringContaining("OBJECT_DAMAGED"),
    ]);
    expect(store.count("GET", "objects/")).toBe(2);
    await server.untilLogged("audio is missing or damaged in the archive");
    expect((await streamInfo(server.httpBase, "short"))!.damaged).toBe(true);
    store.fault = () => "pass";
    await upload(server, "short-again", more);
    await until(
      "the mark to go",
      limitMs,
      async () => !(await streamInfo(server.httpBase, "short"))!.damaged,
    );
  });

  test("is a song by its name", async () => {
    await using store = await ObjectStore.start();
    await using server = await startEvicted(store, { "tls-port": 0 });
    const heard = await fetchSong(server.tlsPort, "short");
    expect(sha256(heard.bytes)).toBe(sha256(more));
  });

  test("cannot be read while the archive is down, and says so; the rest works", async () => {
    await using store = await ObjectStore.start();
    await using server = await startEvicted(store);
    store.fault = () => "error 500";
    const answer = await requestAudio(server.httpBase, "/api/streams/long/audio");
    expect([answer.status, answer.body.toString()]).toEqual([
      503,
      expect.stringContaining("ARCHIVE_UNAVAILABLE"),
    ]);
    const ready = await fetch(`${server.httpBase}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([200, expect.stringContaining("ARCHIVE_UNAVAILABLE")]);
    await upload(server, "new", new Random(9).bytes(1000));
    using peer = await AudioCachePeer.open(server.url);
    expect(await peer.read("new", 0, 1000)).toEqual(Buffer.from(new Random(9).bytes(1000)));
    store.fault = () => "pass";
    expect(sha256(await peer.download("long", audio.length))).toBe(sha256(audio));
    await server.untilLogged("the archive can be reached again");
  });

  test("is still there after a restart, a kill, and a restart without its pieces", async () => {
    await using store = await ObjectStore.start();
    await using server = await startEvicted(store);
    using peer = await AudioCachePeer.open(server.url);
    await peer.read("long", 0, 1000);
    await server.kill9();
    await server.restart();
    using other = await AudioCachePeer.open(server.url);
    expect(sha256(await other.download("long", audio.length))).toBe(sha256(audio));
    expect(server.log).not.toContain("missing");
  });
});
