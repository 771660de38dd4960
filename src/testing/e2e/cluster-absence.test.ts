/** What becomes of what other nodes have removed while a node was away, and of what a dead node has left. */
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Random } from "../harness/bytes.ts";
import { filesUnder, incomingFiles, storedObjects } from "../harness/cache-folder.ts";
import { allRecordings } from "../harness/http/recordings.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { EventStreamPeer } from "../harness/peers/event-stream.ts";
import { countingPayload, IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
import { TestServer, useServers } from "../harness/server.ts";
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

describe.skipIf(postgresPrograms === undefined)("a node whose stream was removed while it was away", () => {
  test.each(["tasks.1", "tasks.2"])(
    "removes the file once it is back, also if it dies at %s, and does not bring the stream back",
    async (step) => {
      const flags = { catalog: postgresServer().createSchema() };
      await using a = await TestServer.start({ flags });
      await using b = await TestServer.start({ flags });
      expect(await put(a, "gone")).toBe(201);
      await a.kill9();
      expect(await codeOf(b, "/api/streams/gone", remove)).toBe("ok");
      await a.restart({ env: { WAVECACHE_FAILPOINTS: `${step}=kill` } }).catch(() => undefined);
      await a.waitForExit(20_000);
      await a.restart({ env: {} });
      await a.untilLogged("the store has been checked");
      await until("the object to go", newsLimitMs, async () => (await objectsOf(a)) === 0);
      expect(await codeOf(a, "/api/streams/gone/audio")).toBe("STREAM_UNKNOWN");
      expect(await filesUnder(join(a.cacheDir, "lost+found"))).toEqual([]);
      // Nothing of the removal concerns a later stream of this id.
      expect(await put(a, "gone")).toBe(201);
      await a.restart();
      expect(await codeOf(a, "/api/streams/gone/audio")).toBe("ok");
    },
  );

  test("does so when it was frozen", async () => {
    const flags = { catalog: postgresServer().createSchema() };
    await using a = await TestServer.start({ flags });
    await using b = await TestServer.start({ flags });
    expect(await put(a, "gone")).toBe(201);
    expect(await codeOf(a, "/api/streams/gone/audio")).toBe("ok");
    process.kill(a.pid, "SIGSTOP");
    expect(await codeOf(b, "/api/streams/gone", remove)).toBe("ok");
    process.kill(a.pid, "SIGCONT");
    await untilUnknown(a, "gone");
    await until("the object to go", newsLimitMs, async () => (await objectsOf(a)) === 0);
  });
});

describe.skipIf(postgresPrograms === undefined)("recordings of another node", () => {
  test("are removed and pinned, by their id and by time, and do not come back", async () => {
    const flags = { catalog: postgresServer().createSchema(), "sync-seconds": 1 };
    await using a = await TestServer.start({ flags });
    await using b = await TestServer.start({ flags });
    for (const name of ["hall", "attic", "kept"]) await record(a, name);
    const rows = await allRecordings(b.httpBase);
    const idOf = (device: string) => rows.find((row) => row.device === device)!.id;
    const fileOf = (device: string) =>
      join(a.folder, "received", rows.find((row) => row.device === device)!.wav.path);
    expect(existsSync(fileOf("hall"))).toBe(true);
    expect(await codeOf(b, `/api/recordings/${idOf("kept")}/pin`, { method: "PUT" })).toBe("ok");
    expect(await codeOf(b, `/api/recordings/${idOf("hall")}`, remove)).toBe("ok");
    const period = `from=0&to=${Date.now() + 3_600_000}`;
    const removal = await fetch(`${b.httpBase}/api/recordings/attic?${period}`, remove);
    expect(await removal.json()).toMatchObject({ removed: 1 });
    for (const name of ["hall", "attic"])
      await until(`the file of ${name} to go`, newsLimitMs, () => !existsSync(fileOf(name)));
    await a.restart();
    const left = await allRecordings(a.httpBase);
    expect(left.map(({ device, pinned }) => [device, pinned])).toEqual([["kept", true]]);
    expect(existsSync(fileOf("kept"))).toBe(true);
    const timeline = await fetch(`${b.httpBase}/api/recordings/hall/timeline`);
    expect(timeline.status).toBe(404);
  });

  test("of a dead node go before it is back, and are not repaired", async () => {
    const flags = { catalog: postgresServer().createSchema(), "sync-seconds": 1 };
    await using a = await TestServer.start({ flags });
    await using b = await TestServer.start({ flags });
    await record(a, "hall");
    const [row] = await allRecordings(b.httpBase);
    await a.kill9();
    expect(await codeOf(b, `/api/recordings/${row!.id}`, remove)).toBe("ok");
    await a.restart();
    const file = join(a.folder, "received", row!.wav.path);
    await until("the file to go", newsLimitMs, () => !existsSync(file));
    expect(await allRecordings(a.httpBase)).toEqual([]);
    // It was entered and removed once.
    expect(await put(a, "last")).toBe(201);
    using events = await EventStreamPeer.open(a.httpBase, "type=recording.*,stream.finished&after=0");
    const types = (await events.take(4)).map(({ type }) => type);
    expect(types).toEqual(["recording.opened", "recording.closed", "recording.removed", "stream.finished"]);
  });
});

async function record(server: TestServer, name: string): Promise<void> {
  using sender = await IngestDevice.open(server.httpBase, pcmFormat, name);
  for (let frame = 0; frame < 20; frame++) sender.send(countingPayload(320 * frame, 320));
  await sender.close();
  await until(`the recording of ${name}`, newsLimitMs, async () =>
    (await allRecordings(server.httpBase)).some((row) => row.device === name),
  );
}

describe.skipIf(postgresPrograms === undefined)("what a dead node has left", () => {
  test("expires by age at a node that lives, unless it is pinned", async () => {
    const catalog = postgresServer().createSchema();
    await using dead = await TestServer.start({ flags: { catalog, "sync-seconds": 1 } });
    for (const id of ["old", "pinned"]) expect(await put(dead, id)).toBe(201);
    expect(await codeOf(dead, "/api/streams/pinned/pin", { method: "PUT" })).toBe("ok");
    await record(dead, "hall");
    const [recording] = await allRecordings(dead.httpBase);
    using peer = await AudioCachePeer.open(dead.url);
    await peer.start("begun");
    await peer.sendAudio(audio.subarray(0, 30_000));
    await peer.untilReceived("begun", 30_000);
    await dead.kill9();
    postgresServer().expireLeases(catalog);
    const flags = { catalog, policy: "streams/* expire 1s; recordings/* expire 1s", "incomplete-ttl": 1 };
    await using other = await TestServer.start({ flags });
    const ids = async () => {
      const page = (await (await fetch(`${other.httpBase}/api/streams`)).json()) as {
        streams: { streamId: string }[];
      };
      return page.streams.map(({ streamId }) => streamId);
    };
    await until("the streams to expire", newsLimitMs, async () => (await ids()).length === 1);
    expect(await ids()).toEqual(["pinned"]);
    await until(
      "the recording to expire",
      newsLimitMs,
      async () => (await allRecordings(other.httpBase)).length === 0,
    );
    await dead.restart();
    const file = join(dead.folder, "received", recording!.wav.path);
    await until("the recording's file to go", newsLimitMs, () => !existsSync(file));
    await until("the files to go", newsLimitMs, async () => {
      return (await incomingFiles(dead.cacheDir)).length === 0;
    });
    expect(await (await fetch(`${dead.httpBase}/api/streams/pinned/audio`)).bytes()).toEqual(audio);
  });
});
