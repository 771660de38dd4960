/** The server is killed while it removes audio from the archive, and while it fetches audio from there. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { expectWhole, uploadTo } from "../harness/archived-audio.ts";
import { Random, sha256 } from "../harness/bytes.ts";
import { filesUnder, storedObjects } from "../harness/cache-folder.ts";
import { scrape } from "../harness/http/exposition.ts";
import { removeStream } from "../harness/http/streams.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { hasObjectStore, ObjectStore } from "../harness/servers/object-store.ts";
import { until } from "../harness/until.ts";

useServers();
const MiB = 1024 * 1024;
const limitMs = 18_000;
const withStore = describe.if(hasObjectStore);

withStore("a server that is killed while it removes audio from the archive", () => {
  test.each(["archive.remove.1", "archive.remove.2", "archive.remove.3"])(
    "at %s removes it after a restart, and nothing else",
    async (point) => {
      const [kept, gone] = [new Random(3).bytes(60_000), new Random(4).bytes(3 * MiB)];
      await using store = await ObjectStore.start();
      const env = { ...store.env, WAVECACHE_FAILPOINTS: `${point}*1=kill` };
      await using server = await TestServer.start({ flags: store.flags, env });
      await uploadTo(server, "kept", kept);
      await uploadTo(server, "gone", gone);
      await until("both in the archive", limitMs, async () => (await store.objects()).length === 2);
      expect(await removeStream(server.httpBase, "gone")).toBe(204);
      await server.waitForExit(limitMs);
      await server.restart({ env: store.env });
      await expectWhole(server, store, new Map([["kept", kept]]));
      expect(await store.keys()).toHaveLength(1);
      const waits = async () => (await scrape(server.httpBase))!.sum("wavecache_archive_removals");
      await until("no removal to wait", limitMs, async () => (await waits()) === 0);
    },
  );
});

withStore("a server that is killed while it fetches audio", () => {
  const audio = new Random(5).bytes(2 * MiB + 5);
  const range = { headers: { range: "bytes=100-" } };

  test.each(["archive.fetch*2", "archive.piece*1", "archive.verified*1"])(
    "at %s serves it right after a restart, and leaves no file behind",
    async (point) => {
      await using store = await ObjectStore.start();
      const flags = { ...store.flags, "archive-local-bytes": 1 };
      await using server = await TestServer.start({ flags, env: store.env });
      await uploadTo(server, "x", audio);
      await until("it to leave", limitMs, async () => (await storedObjects(server.cacheDir)).length === 0);
      const roomy = { ...store.flags, "archive-local-bytes": 64 * MiB };
      await server.restart({ flags: roomy, env: { ...store.env, WAVECACHE_FAILPOINTS: `${point}=kill` } });
      const read = async () => await (await fetch(`${server.httpBase}/api/streams/x/audio`, range)).bytes();
      const expected = sha256(audio.subarray(100));
      const [before] = await Promise.allSettled([read(), server.waitForExit(limitMs)]);
      if (before.status === "fulfilled") expect(sha256(before.value)).toBe(expected);
      await server.restart({ env: store.env });
      expect(sha256(await read())).toBe(expected);
      await expectWhole(server, store, new Map([["x", audio]]));
      expect((await filesUnder(join(server.cacheDir, "fetched"))).length).toBeLessThanOrEqual(1);
      expect(server.log).not.toMatch(/ [WE] |damagedStreams=[1-9]/);
    },
    30_000,
  );
});
