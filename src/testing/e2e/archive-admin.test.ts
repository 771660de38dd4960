/** Backup, doctor and a lost catalog, while audio is in the archive alone; and how it comes here again. */
import { describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { runAdmin } from "../harness/admin.ts";
import { Random, sha256 } from "../harness/bytes.ts";
import { storedObjects } from "../harness/cache-folder.ts";
import { listStreams, streamInfo } from "../harness/http/streams.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { hasObjectStore, ObjectStore } from "../harness/servers/object-store.ts";
import { until } from "../harness/until.ts";

useServers();
const MiB = 1024 * 1024;
const limitMs = 15_000;
const audio = new Map([
  ["long", new Random(1).bytes(3 * MiB + 5)],
  ["short", new Random(2).bytes(20_000)],
]);

async function expectAudio(server: TestServer): Promise<void> {
  using peer = await AudioCachePeer.open(server.url);
  for (const [id, bytes] of audio) expect(sha256(await peer.download(id, bytes.length))).toBe(sha256(bytes));
  expect((await listStreams(server.httpBase)).filter(({ damaged }) => damaged)).toEqual([]);
}

async function startEvicted(store: ObjectStore): Promise<TestServer> {
  const flags = { ...store.flags, "archive-local-bytes": 1 };
  const server = await TestServer.start({ flags, env: store.env });
  using peer = await AudioCachePeer.open(server.url);
  for (const [id, bytes] of audio) await peer.upload(id, bytes);
  await until("both to leave", limitMs, async () => (await storedObjects(server.cacheDir)).length === 0);
  return server;
}

const withStore = describe.if(hasObjectStore);

withStore("audio in the archive alone", () => {
  test("is no problem for the doctor, and comes back with a backup", async () => {
    await using store = await ObjectStore.start();
    await using server = await startEvicted(store);
    const dir = join(server.folder, "backup");
    expect(await runAdmin(server, "doctor")).toMatchObject({ code: 0, problems: [], archivedObjects: 2 });
    expect(await runAdmin(server, "backup", dir)).toMatchObject({
      code: 0,
      streams: 2,
      archivedObjects: 2,
      problems: [],
    });
    await server.stop();
    expect(await runAdmin(server, "doctor")).toMatchObject({ code: 0, problems: [], archivedObjects: 2 });
    fs.rmSync(server.cacheDir, { recursive: true });
    expect(await runAdmin(server, "restore", dir)).toMatchObject({ code: 0, streams: 2, problems: [] });
    await server.restart();
    await expectAudio(server);
    // What is there is not stored once more.
    expect((await store.objects()).toSorted()).toEqual([...audio.values()].map(sha256).toSorted());
  });

  test("survives the loss of the catalog: the journal knows where it is", async () => {
    await using store = await ObjectStore.start();
    await using server = await startEvicted(store);
    await server.stop();
    for (const end of ["", "-wal", "-shm"])
      fs.rmSync(join(server.cacheDir, `catalog.db${end}`), { force: true });
    await server.restart();
    await until("both streams", limitMs, async () => (await listStreams(server.httpBase)).length === 2);
    await expectAudio(server);
    expect(await store.objects()).toHaveLength(2);
  });

  test("is found when the catalog is built anew, also from a journal that was written anew", async () => {
    await using store = await ObjectStore.start();
    await using server = await startEvicted(store);
    await server.stop();
    for (let round = 0; round < 2; round += 1) {
      for (const end of ["", "-wal", "-shm"])
        fs.rmSync(join(server.cacheDir, `catalog.db${end}`), { force: true });
      const { code, problems } = await runAdmin(server, "doctor", "--rebuild-catalog");
      expect([code, problems.filter(({ isMended }) => isMended !== true)]).toEqual([0, []]);
    }
    await server.restart();
    await expectAudio(server);
    expect(await store.objects()).toHaveLength(2);
  });

  test("comes here again once all of it was read, and a damaged copy here is replaced from there", async () => {
    await using store = await ObjectStore.start();
    await using server = await startEvicted(store);
    await server.restart({ flags: store.flags, env: store.env });
    await expectAudio(server);
    await until("both objects", 25_000, async () => (await storedObjects(server.cacheDir)).length === 2);
    store.requests.length = 0;
    await expectAudio(server);
    expect(store.requests).toEqual([]);
    const object = (await storedObjects(server.cacheDir)).find(({ size }) => size === 20_000);
    fs.writeFileSync(join(server.cacheDir, "objects-v1", object!.path), new Random(3).bytes(20_000));
    using peer = await AudioCachePeer.open(server.url);
    await until("the right audio", limitMs, async () => {
      peer.get("short", 0, 1000);
      const frame = await peer.next();
      return Buffer.from(audio.get("short")!.subarray(0, 1000)).equals(frame.payload) ? true : undefined;
    });
    await server.untilLogged("audio was damaged on the disk; the archive has it");
    expect((await streamInfo(server.httpBase, "short"))!.damaged).toBe(false);
  });
});
