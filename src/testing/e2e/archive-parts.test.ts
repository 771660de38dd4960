/** With --acknowledge archived, the parts of an upload are in the archive before it ends. */
import { describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { Random, sha256 } from "../harness/bytes.ts";
import { scrape } from "../harness/http/exposition.ts";
import { removeStream } from "../harness/http/streams.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { hasObjectStore, ObjectStore } from "../harness/servers/object-store.ts";
import { until } from "../harness/until.ts";

useServers();
const MiB = 1024 * 1024;
const limitMs = 18_000;
const withStore = describe.if(hasObjectStore);
const audio = new Random(71).bytes(40 * MiB + 7);

function flagsOf(store: ObjectStore): Record<string, string> {
  return { ...store.flags, acknowledge: "archived" };
}

async function begun(server: TestServer, id: string, bytes: Uint8Array): Promise<AudioCachePeer> {
  const peer = await AudioCachePeer.open(server.url);
  await peer.start(id);
  await peer.sendAudio(bytes);
  await peer.untilReceived(id, bytes.length);
  return peer;
}

async function untilParts(server: TestServer, count: number): Promise<void> {
  await until("the parts", limitMs, async () => {
    const metrics = await scrape(server.httpBase);
    return metrics?.sum("wavecache_archive_upload_parts_total") === count;
  });
}

/** Keys of audio. */
async function audioKeys(store: ObjectStore): Promise<string[]> {
  return (await store.keys()).filter((key) => !key.startsWith("sums/"));
}

async function expectOnly(store: ObjectStore, bytes: Uint8Array): Promise<void> {
  await until("one object", limitMs, async () => (await audioKeys(store)).length === 1);
  expect(sha256(store.bytesOf((await audioKeys(store))[0]!))).toBe(sha256(bytes));
  await until("no upload in parts", limitMs, async () => (await store.unfinishedUploads()) === 0);
}

withStore("the parts of an upload", () => {
  test("are in the archive before its end, which stores the last part alone", async () => {
    await using store = await ObjectStore.start();
    await using server = await TestServer.start({ flags: flagsOf(store), env: store.env });
    using peer = await begun(server, "long", audio);
    await untilParts(server, 2);
    expect(store.requests.map(({ method }) => method)).toEqual(["GET", "POST", "PUT", "PUT"]);
    store.requests.length = 0;
    await peer.stop("long");
    expect(store.requests.map(({ method }) => method)).toEqual(["PUT", "POST", "PUT"]);
    await expectOnly(store, audio);
    expect((await audioKeys(store))[0]).toStartWith("uploads/");
  });

  test("are served from there once the audio is not here", async () => {
    await using store = await ObjectStore.start();
    const flags = { ...flagsOf(store), "archive-local-bytes": String(MiB) };
    await using server = await TestServer.start({ flags, env: store.env });
    using peer = await begun(server, "long", audio);
    await peer.stop("long");
    await until("its eviction", limitMs, async () => {
      const metrics = await scrape(server.httpBase);
      return metrics?.sum("wavecache_archive_objects", { state: "archived" }) === 1;
    });
    expect(sha256(await peer.download("long", audio.length, MiB))).toBe(sha256(audio));
    await removeStream(server.httpBase, "long");
    await until("nothing in the archive", limitMs, async () => (await store.keys()).length === 0);
  });

  test("are not stored twice: of audio that the archive has, they go", async () => {
    await using store = await ObjectStore.start();
    await using server = await TestServer.start({ flags: flagsOf(store), env: store.env });
    using first = await begun(server, "first", audio);
    await first.stop("first");
    using second = await begun(server, "second", audio);
    await second.stop("second");
    await expectOnly(store, audio);
    expect(sha256(await second.download("second", audio.length, MiB))).toBe(sha256(audio));
  });

  test("go with an upload that is removed, in progress or interrupted", async () => {
    await using store = await ObjectStore.start();
    await using server = await TestServer.start({ flags: flagsOf(store), env: store.env });
    {
      using peer = await begun(server, "gone", audio);
      await untilParts(server, 2);
      expect(await store.unfinishedUploads()).toBe(1);
      peer.socket[Symbol.dispose]();
    }
    await until(
      "the end of the upload",
      limitMs,
      async () => (await removeStream(server.httpBase, "gone")) === 204,
    );
    await until("no upload in parts", limitMs, async () => (await store.unfinishedUploads()) === 0);
    expect(await store.keys()).toEqual([]);
  });

  test("catch up after the object store was down; the upload goes on meanwhile", async () => {
    await using store = await ObjectStore.start();
    await using server = await TestServer.start({ flags: flagsOf(store), env: store.env });
    store.fault = () => "slow down";
    using peer = await begun(server, "long", audio);
    await server.untilLogged("the archive cannot be reached");
    store.fault = () => "pass";
    await untilParts(server, 2);
    await peer.stop("long");
    await expectOnly(store, audio);
  });

  test("begin again if the object store has forgotten them", async () => {
    await using store = await ObjectStore.start();
    await using server = await TestServer.start({ flags: flagsOf(store), env: store.env });
    using peer = await begun(server, "long", audio.subarray(0, 20 * MiB));
    await untilParts(server, 1);
    rmSync(store.partsFolder, { recursive: true });
    await peer.sendAudio(audio.subarray(20 * MiB));
    await untilParts(server, 3);
    await peer.stop("long");
    await expectOnly(store, audio);
  });
});

withStore("a server that is killed", () => {
  test.each(["parts.begun*1", "parts.put*2", "parts.stored*1", "parts.entering*2", "parts.entered*1"])(
    "while an upload comes, at %s, continues with the parts that the catalog knows",
    async (point) => {
      await using store = await ObjectStore.start();
      const env = { ...store.env, WAVECACHE_FAILPOINTS: `${point}=kill` };
      await using server = await TestServer.start({ flags: flagsOf(store), env });
      using first = await AudioCachePeer.open(server.url);
      await first.start("long");
      const sent = first.sendAudio(audio);
      await server.waitForExit(limitMs);
      await sent.catch(() => undefined);
      await finishAfterKill(server, store);
    },
  );

  test.each(["archive.part*3", "archive.stored*1"])(
    "at the end of an upload, at %s, archives it once",
    async (point) => {
      await using store = await ObjectStore.start();
      const env = { ...store.env, WAVECACHE_FAILPOINTS: `${point}=kill` };
      await using server = await TestServer.start({ flags: flagsOf(store), env });
      using first = await begun(server, "long", audio);
      await first.stop("long").catch(() => undefined);
      await server.waitForExit(limitMs);
      await finishAfterKill(server, store);
    },
  );
});

async function finishAfterKill(server: TestServer, store: ObjectStore): Promise<void> {
  await server.restart({ flags: flagsOf(store), env: store.env });
  using peer = await AudioCachePeer.open(server.url);
  const offset = await peer.resume("long");
  await peer.sendAudio(audio.subarray(offset));
  const { sha256: found } = await peer.stop("long");
  expect(found).toBe(sha256(audio));
  await expectOnly(store, audio);
}
