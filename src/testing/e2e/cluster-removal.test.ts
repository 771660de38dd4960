/** What one node changes of the streams of another. They share a catalog in PostgreSQL, and nothing else. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { catalogLookMs } from "../../base/limits/postgres.ts";
import { Random } from "../harness/bytes.ts";
import { filesUnder, incomingFiles, storedObjects } from "../harness/cache-folder.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { EventStreamPeer } from "../harness/peers/event-stream.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { hasNatsServer, NatsServer } from "../harness/servers/nats-server.ts";
import { postgresPrograms, postgresServer } from "../harness/servers/postgres.ts";
import { until } from "../harness/until.ts";

useServers();

const audio = new Random(21).bytes(60_000);
/** Changes that one node makes hold on the others within this time, on a machine that is busy. */
const newsLimitMs = 10_000;

async function put({ httpBase }: TestServer, id: string, body = audio): Promise<number> {
  const response = await fetch(`${httpBase}/api/streams/${id}/audio`, { method: "PUT", body });
  const text = await response.text();
  if (response.status >= 500) throw new Error(text);
  return response.status;
}

async function codeOf({ httpBase }: TestServer, path: string, init: RequestInit = {}): Promise<string> {
  const response = await fetch(`${httpBase}${path}`, init);
  if (response.ok) return "ok";
  return ((await response.json()) as { error: { code: string } }).error.code;
}

const remove = { method: "DELETE" };

async function objectsOf({ cacheDir }: TestServer): Promise<number> {
  return (await storedObjects(cacheDir)).length;
}

async function untilUnknown(server: TestServer, id: string): Promise<void> {
  await until(`${id} to be unknown`, newsLimitMs, async () => {
    return (await codeOf(server, `/api/streams/${id}/audio`)) === "STREAM_UNKNOWN";
  });
}

async function streamsCounted({ httpBase }: TestServer): Promise<number> {
  const metrics = await (await fetch(`${httpBase}/metrics`)).text();
  return Number(/^wavecache_streams\{state="finished"\} (\d+)$/m.exec(metrics)?.[1]);
}

/** Returns the credential of a request with it. */
async function createToken(httpBase: string, grants: string[], authorization = ""): Promise<string> {
  const response = await fetch(`${httpBase}/api/tokens`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(authorization === "" ? {} : { authorization }) },
    body: JSON.stringify({ grants }),
  });
  expect(response.status).toBe(201);
  return `Bearer ${((await response.json()) as { token: string }).token}`;
}

describe.skipIf(postgresPrograms === undefined)("a node that did not take a stream", () => {
  let a: TestServer;
  let b: TestServer;
  let catalog: string;
  beforeAll(async () => {
    catalog = postgresServer().createSchema();
    a = await TestServer.start({ flags: { catalog } });
    b = await TestServer.start({ flags: { catalog } });
  }, 60_000);
  afterAll(async () => {
    await a?.dispose();
    await b?.dispose();
  });

  test("removes it: the other forgets it, removes its file and counts it no more", async () => {
    expect(await put(a, "gone")).toBe(201);
    expect(await codeOf(a, "/api/streams/gone/audio")).toBe("ok");
    expect(await objectsOf(a)).toBe(1);
    expect(await codeOf(b, "/api/streams/gone", remove)).toBe("ok");
    expect(await codeOf(b, "/api/streams/gone/audio")).toBe("STREAM_UNKNOWN");
    await untilUnknown(a, "gone");
    await until("the object to go", newsLimitMs, async () => (await objectsOf(a)) === 0);
    await until("the count", newsLimitMs, async () => (await streamsCounted(a)) === 0);
    expect(await streamsCounted(b)).toBe(0);
    expect(await codeOf(b, "/api/streams/gone", remove)).toBe("STREAM_UNKNOWN");
  });

  test("leaves the audio that another stream of the other node has", async () => {
    expect(await put(a, "one")).toBe(201);
    expect(await put(a, "other")).toBe(201);
    expect(await codeOf(b, "/api/streams/one", remove)).toBe("ok");
    await untilUnknown(a, "one");
    expect(await (await fetch(`${a.httpBase}/api/streams/other/audio`)).bytes()).toEqual(audio);
    expect(await codeOf(b, "/api/streams/other", remove)).toBe("ok");
    await untilUnknown(a, "other");
  });

  test("lets a read that is in progress at the other node end", async () => {
    const long = new Random(22).bytes(40_000_000);
    expect(await put(a, "long", long)).toBe(201);
    const reading = await fetch(`${a.httpBase}/api/streams/long/audio`);
    const reader = reading.body!.getReader() as { read(): Promise<{ value?: Uint8Array; done: boolean }> };
    const pieces = [(await reader.read()).value!];
    expect(await codeOf(b, "/api/streams/long", remove)).toBe("ok");
    await untilUnknown(a, "long");
    for (let next = await reader.read(); !next.done; next = await reader.read()) pieces.push(next.value!);
    expect(Buffer.concat(pieces).equals(long)).toBe(true);
  });

  test("changes its tags, which the other node shows, and its journal has", async () => {
    expect(await put(a, "tagged")).toBe(201);
    expect(await codeOf(a, "/api/streams/tagged/audio")).toBe("ok");
    const body = JSON.stringify({ tags: { name: "renamed.wav", title: "Of B" } });
    const init = { method: "PATCH", body, headers: { "content-type": "application/json" } };
    expect(await codeOf(b, "/api/streams/tagged", init)).toBe("ok");
    await until("the name at its node", newsLimitMs, async () => {
      const { headers } = await fetch(`${a.httpBase}/api/streams/tagged/audio`);
      return headers.get("content-disposition")?.includes("renamed.wav");
    });
    await until("the journal of its node", newsLimitMs, async () => {
      const journal = await filesUnder(join(a.cacheDir, "journal-v1"));
      const texts = await Promise.all(
        journal.map(({ path }) => Bun.file(join(a.cacheDir, "journal-v1", path)).text()),
      );
      return texts.join("").includes("renamed.wav");
    });
    expect(await codeOf(b, "/api/streams/renamed.wav")).toBe("ok");
  });

  test("and the other one remove each other's streams at the same time", async () => {
    const ids = Array.from({ length: 20 }, (_, at) => at);
    for (const at of ids) expect([await put(a, `a-${at}`), await put(b, `b-${at}`)]).toEqual([201, 201]);
    const codes = await Promise.all(
      ids.flatMap((at) => [
        codeOf(b, `/api/streams/a-${at}`, remove),
        codeOf(a, `/api/streams/b-${at}`, remove),
      ]),
    );
    expect([...new Set(codes)]).toEqual(["ok"]);
  });

  test("pins and unpins it", async () => {
    expect(await put(a, "kept")).toBe(201);
    const pinned = async () => {
      const row = (await (await fetch(`${a.httpBase}/api/streams/kept`)).json()) as { pinned: boolean };
      return row.pinned;
    };
    expect(await codeOf(b, "/api/streams/kept/pin", { method: "PUT" })).toBe("ok");
    expect(await pinned()).toBe(true);
    expect(await codeOf(b, "/api/streams/kept/pin", remove)).toBe("ok");
    expect(await pinned()).toBe(false);
  });

  test("removes an upload of another node only once that node is dead", async () => {
    await using c = await TestServer.start({ flags: { catalog } });
    using peer = await AudioCachePeer.open(c.url);
    await peer.start("begun");
    await peer.sendAudio(audio.subarray(0, 30_000));
    await peer.untilReceived("begun", 30_000);
    expect(await codeOf(b, "/api/streams/begun", remove)).toBe("STREAM_UNFINISHED");
    await c.kill9();
    postgresServer().expireLeases(catalog);
    expect(await codeOf(b, "/api/streams/begun", remove)).toBe("ok");
    await c.restart();
    await c.untilLogged("the store has been checked");
    await until("the file of the upload to go", newsLimitMs, async () => {
      return (await incomingFiles(c.cacheDir)).length === 0;
    });
  });

  test("obeys the grants of a token", async () => {
    for (const id of ["mine-1", "yours"]) expect(await put(a, id)).toBe(201);
    const root = await createToken(a.httpBase, ["*"]);
    const authorization = await createToken(
      a.httpBase,
      ["remove:streams/mine-*", "upload:streams/mine-*"],
      root,
    );
    const ask = (path: string, method: string, body?: string) =>
      codeOf(b, path, {
        method,
        headers: { authorization, "content-type": "application/json" },
        ...(body === undefined ? {} : { body }),
      });
    await until("the token at the other node", newsLimitMs, async () => {
      return (await ask("/api/streams/yours/pin", "PUT")) !== "ok";
    });
    const tags = JSON.stringify({ tags: { title: "x" } });
    for (const [path, method, body] of [
      ["/api/streams/yours", "DELETE"],
      ["/api/streams/yours/pin", "PUT"],
      ["/api/streams/yours", "PATCH", tags],
    ] as const)
      expect([path, method, await ask(path, method, body)]).not.toEqual([path, method, "ok"]);
    for (const [path, method, body] of [
      ["/api/streams/mine-1/pin", "PUT"],
      ["/api/streams/mine-1", "PATCH", tags],
      ["/api/streams/mine-1", "DELETE"],
    ] as const)
      expect([path, method, await ask(path, method, body)]).toEqual([path, method, "ok"]);
  });
});

describe.skipIf(postgresPrograms === undefined || !hasNatsServer)("nodes that share NATS, too", () => {
  let nats: NatsServer;
  let a: TestServer;
  let b: TestServer;
  beforeAll(async () => {
    nats = await NatsServer.start();
    const flags = { catalog: postgresServer().createSchema(), "nats-urls": nats.url };
    a = await TestServer.start({ flags });
    b = await TestServer.start({ flags });
    for (const node of [a, b]) await node.untilLogged("connected to NATS");
  }, 60_000);
  afterAll(async () => {
    await a?.dispose();
    await b?.dispose();
    await nats?.[Symbol.asyncDispose]();
  });

  test("hear of what others do at once, and not at the next look at the catalog", async () => {
    using events = await EventStreamPeer.open(b.httpBase, "type=stream.finished");
    const delaysMs: number[] = [];
    for (let at = 0; at < 15; at++) {
      expect(await put(a, `s${at}`)).toBe(201);
      const finishedAt = performance.now();
      await events.take(1);
      delaysMs.push(performance.now() - finishedAt);
    }
    expect(delaysMs.toSorted((one, other) => one - other)[7]).toBeLessThan(catalogLookMs / 4);
  });

  test("remove each other's interrupted uploads, and none in progress", async () => {
    const incoming = async () => (await incomingFiles(a.cacheDir)).length;
    {
      using peer = await AudioCachePeer.open(a.url);
      await peer.start("begun");
      await peer.sendAudio(audio.subarray(0, 30_000));
      await peer.untilReceived("begun", 30_000);
      expect(await codeOf(b, "/api/streams/begun", remove)).toBe("STREAM_UNFINISHED");
      expect(await incoming()).toBe(1);
    }
    await until("the removal", newsLimitMs, async () => {
      return (await codeOf(b, "/api/streams/begun", remove)) === "ok";
    });
    expect(await codeOf(b, "/api/streams/begun", remove)).toBe("STREAM_UNKNOWN");
    expect(await codeOf(a, "/api/streams/begun", remove)).toBe("STREAM_UNKNOWN");
    expect(await incoming()).toBe(0);
  });
});
