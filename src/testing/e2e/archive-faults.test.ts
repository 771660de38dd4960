/** The archive while the object store fails, and while the server is killed: nothing is lost, nothing is there twice. */
import { describe, expect, test } from "bun:test";
import { Random } from "../harness/bytes.ts";
import { storedObjects } from "../harness/cache-folder.ts";
import { listStreams, removeStream } from "../harness/http/streams.ts";
import { expectWhole, uploadTo } from "../harness/archived-audio.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { type Fault, hasObjectStore, ObjectStore } from "../harness/servers/object-store.ts";
import { until } from "../harness/until.ts";

useServers();
const MiB = 1024 * 1024;
const limitMs = 18_000;
const withStore = describe.if(hasObjectStore);

withStore("a server that is killed", () => {
  const long = new Random(1).bytes(20 * MiB);
  const short = new Random(2).bytes(50_000);

  test.each(["archive.put", "archive.part", "archive.stored"])(
    "at %s stores everything once after a restart",
    async (point) => {
      await using store = await ObjectStore.start();
      const env = { ...store.env, WAVECACHE_FAILPOINTS: `${point}*1=kill` };
      await using server = await TestServer.start({ flags: store.flags, env });
      await uploadTo(server, "long", long);
      await server.waitForExit(limitMs);
      await server.restart({ flags: store.flags, env: store.env });
      await uploadTo(server, "short", short);
      await expectWhole(
        server,
        store,
        new Map([
          ["long", long],
          ["short", short],
        ]),
      );
    },
  );

  test.each(["evict.1", "evict.2", "evict.3"])(
    "at %s has its audio here or in the archive",
    async (point) => {
      await using store = await ObjectStore.start();
      const flags = { ...store.flags, "archive-local-bytes": 1 };
      await using server = await TestServer.start({
        flags,
        env: { ...store.env, WAVECACHE_FAILPOINTS: `${point}*1=kill` },
      });
      await uploadTo(server, "short", short);
      await server.waitForExit(limitMs);
      await server.restart({ flags, env: store.env });
      await expectWhole(server, store, new Map([["short", short]]));
      expect(server.log).not.toMatch(/missing|damaged/);
      await until("it to leave", limitMs, async () => (await storedObjects(server.cacheDir)).length === 0);
    },
  );
});

withStore("an object store that fails", () => {
  const faults: Fault[] = ["error 500", "slow down", "cut", "truncate", "corrupt", "lose answer"];

  test("now and then, in every way, gets everything once; what is read is right", async () => {
    await using store = await ObjectStore.start();
    const flags = { ...store.flags, "archive-local-bytes": 3 * MiB };
    await using server = await TestServer.start({ flags, env: store.env });
    const random = new Random(7);
    store.fault = () => (random.chance(30) ? random.pick(faults) : "pass");
    const audio = new Map<string, Uint8Array>();
    for (let each = 0; each < 12; each += 1) {
      const bytes = new Random(100 + each).bytes(each === 0 ? 18 * MiB : random.int(1, 2 * MiB));
      await uploadTo(server, `s${each}`, bytes);
      audio.set(`s${each}`, bytes);
    }
    for (const id of ["s3", "s4"]) {
      await removeStream(server.httpBase, id);
      audio.delete(id);
    }
    await until("the worst to be over", limitMs, () => store.requests.length > 15);
    store.fault = () => "pass";
    await expectWhole(server, store, audio);
  });

  test("for long does not keep uploads from being taken, nor the server from starting", async () => {
    await using store = await ObjectStore.start();
    store.fault = () => "error 500";
    await using server = await TestServer.start({ flags: store.flags, env: store.env });
    const audio = new Map<string, Uint8Array>();
    for (let each = 0; each < 20; each += 1) {
      const bytes = new Random(200 + each).bytes(10_000);
      await uploadTo(server, `s${each}`, bytes);
      audio.set(`s${each}`, bytes);
    }
    await server.untilLogged("the archive cannot be reached");
    await server.restart();
    expect(await listStreams(server.httpBase)).toHaveLength(20);
    // A store that is down does not get a request for each object that waits.
    expect(store.requests.length).toBeLessThan(15);
    store.fault = () => "pass";
    await expectWhole(server, store, audio);
  });

  test("to answer does not delay the end of the server, and nothing is lost", async () => {
    await using store = await ObjectStore.start();
    store.fault = ({ method }) => (method === "PUT" ? "hang" : "pass");
    await using server = await TestServer.start({ flags: store.flags, env: store.env });
    const audio = new Random(300).bytes(10_000);
    await uploadTo(server, "one", audio);
    await until("the request", limitMs, () => store.count("PUT", "objects/") === 1);
    const startedAt = performance.now();
    expect(await server.stop()).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    store.fault = () => "pass";
    await server.restart();
    await expectWhole(server, store, new Map([["one", audio]]));
  });
});
