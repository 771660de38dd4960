/** The archive on a real S3 store, from outside: audio goes there, and comes from there. */
import { describe, expect, test } from "bun:test";
import { Random, sha256 } from "../harness/bytes.ts";
import { storedObjects } from "../harness/cache-folder.ts";
import { scrape } from "../harness/http/exposition.ts";
import { removeStream } from "../harness/http/streams.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { hasObjectStore, ObjectStore, sayIfObjectStoreIsMissing } from "../harness/servers/object-store.ts";
import { until } from "../harness/until.ts";

useServers();
sayIfObjectStoreIsMissing();
const MiB = 1024 * 1024;
const limitMs = 15_000;

async function upload(server: TestServer, id: string, bytes: Uint8Array): Promise<string> {
  using peer = await AudioCachePeer.open(server.url);
  await peer.upload(id, bytes);
  return sha256(bytes);
}

const withStore = describe.if(hasObjectStore);

withStore("finished audio", () => {
  test("is in the archive under its SHA-256 soon after its upload, once, with its checksums if it is long", async () => {
    await using store = await ObjectStore.start();
    await using server = await TestServer.start({ flags: store.flags, env: store.env });
    const [short, long] = [new Random(1).bytes(100_000), new Random(2).bytes(35 * MiB + 7)];
    const digests = [await upload(server, "short", short), await upload(server, "long", long)];
    await upload(server, "same", short);
    await until("both objects", limitMs, async () => (await store.keys()).length === 3);
    expect(await store.objects()).toEqual(digests.toSorted());
    const keys = await store.keys();
    for (const audio of [short, long]) {
      const key = keys.find((each) =>
        each.startsWith(`objects/${sha256(audio).slice(0, 2)}/${sha256(audio)}`),
      )!;
      expect(sha256(store.bytesOf(key))).toBe(sha256(audio));
    }
    expect(keys.filter((key) => key.startsWith("sums/"))).toHaveLength(1);
    await until("no upload in parts", limitMs, async () => (await store.unfinishedUploads()) === 0);
    expect(store.count("PUT", "objects/")).toBe(1 + 3);
  });

  test("shows in the metrics: where it is, and what it cost", async () => {
    await using store = await ObjectStore.start();
    await using server = await TestServer.start({ flags: store.flags, env: store.env });
    await upload(server, "one", new Random(30).bytes(MiB));
    const metrics = await until("the metrics", limitMs, async () => {
      const found = await scrape(server.httpBase);
      return found?.sum("wavecache_archive_objects", { state: "local" }) === 1 ? found : undefined;
    });
    expect(metrics.sum("wavecache_archive_bytes", { state: "local" })).toBe(MiB);
    expect(metrics.sum("wavecache_archive_stored_bytes_total")).toBe(MiB);
    expect(metrics.sum("wavecache_archive_requests_total", { operation: "put", status: "200" })).toBe(1);
    expect(metrics.sum("wavecache_archive_queue_age_seconds")).toBe(0);
    expect(metrics.sum("wavecache_archive_up")).toBe(1);
  });

  test("goes from the archive with the last stream that has it", async () => {
    await using store = await ObjectStore.start();
    await using server = await TestServer.start({ flags: store.flags, env: store.env });
    const audio = new Random(3).bytes(2 * MiB);
    await upload(server, "one", audio);
    await upload(server, "two", audio);
    await until("the object", limitMs, async () => (await store.keys()).length === 2);
    await removeStream(server.httpBase, "one");
    await upload(server, "other", new Random(4).bytes(1000));
    await until("the other object", limitMs, async () => (await store.objects()).length === 2);
    await removeStream(server.httpBase, "two");
    await until("only the other", limitMs, async () => (await store.keys()).length === 1);
    expect(await storedObjects(server.cacheDir)).toHaveLength(1);
  });

  test("of the time without an archive follows", async () => {
    await using store = await ObjectStore.start();
    await using server = await TestServer.start();
    const digests: string[] = [];
    for (let each = 0; each < 5; each += 1)
      digests.push(await upload(server, `s${each}`, new Random(10 + each).bytes(1000)));
    await server.restart({ flags: store.flags, env: store.env });
    await until("all objects", limitMs, async () => (await store.objects()).length === 5);
    expect(await store.objects()).toEqual(digests.toSorted());
  });
});

withStore("with --acknowledge archived", () => {
  test("an upload is acknowledged once the archive has it, over every protocol", async () => {
    await using store = await ObjectStore.start();
    const flags = { ...store.flags, acknowledge: "archived" };
    await using server = await TestServer.start({ flags, env: store.env });
    const audio = new Random(20).bytes(3 * MiB);
    await upload(server, "one", audio);
    expect(await store.objects()).toEqual([sha256(audio)]);
    const put = await fetch(`${server.httpBase}/api/streams/two/audio`, {
      method: "PUT",
      body: new Random(21).bytes(1000),
    });
    expect(put.status).toBe(201);
    expect(await store.objects()).toHaveLength(2);
  });

  test("the end of an upload waits for an archive that is down, and no longer than until it is back", async () => {
    await using store = await ObjectStore.start();
    const flags = { ...store.flags, acknowledge: "archived" };
    await using server = await TestServer.start({ flags, env: store.env });
    store.fault = () => "slow down";
    const audio = new Random(22).bytes(10_000);
    let isAcknowledged = false;
    const uploading = upload(server, "one", audio).then(() => (isAcknowledged = true));
    await server.untilLogged("the archive cannot be reached");
    expect(isAcknowledged).toBe(false);
    store.fault = () => "pass";
    await uploading;
    expect(await store.objects()).toEqual([sha256(audio)]);
  });
});
