/** Recordings go to the archive when their segments close, and leave it with their rows. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { sha256 } from "../harness/bytes.ts";
import { scrape } from "../harness/http/exposition.ts";
import { allRecordings } from "../harness/http/recordings.ts";
import { pcmFormat } from "../harness/peers/ingest-device.ts";
import { recordCounting } from "../harness/recorded-audio.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { hasObjectStore, ObjectStore, sayIfObjectStoreIsMissing } from "../harness/servers/object-store.ts";
import { until } from "../harness/until.ts";

useServers();
sayIfObjectStoreIsMissing();
const limitMs = 18_000;
/** A segment of more than a MiB, and one of less. */
const [longFrames, shortFrames] = [1_700, 100];

const wavs = async (store: ObjectStore) => (await store.keys()).filter((key) => key.endsWith(".wav"));

/** Each listed recording is in the archive once, unharmed, with what was measured of it; nothing else is there. */
async function expectArchived(server: TestServer, store: ObjectStore): Promise<void> {
  const recordings = await allRecordings(server.httpBase);
  const wanted = recordings.map(({ wav }) => wav.sha256).toSorted();
  const isThere = async () => {
    const digests = (await wavs(store)).map((key) => sha256(store.bytesOf(key))).toSorted();
    return (
      JSON.stringify(digests) === JSON.stringify(wanted) && (await store.keys()).length === 2 * wanted.length
    );
  };
  await until("each recording once", limitMs, isThere, () => server.log);
  await until("no upload in parts", limitMs, async () => (await store.unfinishedUploads()) === 0);
  const counted = async () => {
    const metrics = await scrape(server.httpBase);
    return metrics?.sum("wavecache_archive_recordings", { state: "local" }) === wanted.length;
  };
  await until("the catalog to know", limitMs, counted);
}

const folderOf = ({ folder }: TestServer) => join(folder, "received");
const start = (store: ObjectStore, flags = {}, env = {}) =>
  TestServer.start({ flags: { "sync-seconds": 1, ...store.flags, ...flags }, env: { ...store.env, ...env } });

describe.if(hasObjectStore)("a recording", () => {
  test("is in the archive soon after its end, under its name, by two requests", async () => {
    await using store = await ObjectStore.start();
    await using server = await start(store);
    const [long] = await recordCounting(server, "mic", longFrames);
    await recordCounting(server, "mic", shortFrames);
    await expectArchived(server, store);
    expect(store.count("PUT", "recordings/")).toBe(4);
    const key = (await wavs(store)).find((each) => sha256(store.bytesOf(each)) === long!.wav.sha256)!;
    expect(key).toMatch(/^recordings\/mic\/stream_7_mic_\d{8}_\d{6}\.[0-9a-f]{8}\.wav$/);
    // Where it lies in the bucket is nobody's business.
    const list = await fetch(`${server.httpBase}/api/recordings`);
    expect(await list.text()).not.toContain(key);
    const sidecar = store.bytesOf(key.replace(/wav$/, "side"));
    for (const extension of ["lvl", "dat"]) {
      const file = readFileSync(join(folderOf(server), long!.wav.path.replace(/wav$/, extension)));
      expect(Buffer.from(sidecar).includes(file)).toBe(true);
    }
    const metrics = (await scrape(server.httpBase))!;
    expect(metrics.sum("wavecache_archive_recording_bytes", { state: "local" })).toBe(
      (await allRecordings(server.httpBase)).reduce((sum, { wav }) => sum + wav.bytes, 0),
    );
  });

  test("of the time without an archive follows, and one that is removed goes from there", async () => {
    await using store = await ObjectStore.start();
    await using server = await TestServer.start({ flags: { "sync-seconds": 1 } });
    for (const device of ["a", "b"]) await recordCounting(server, device, shortFrames);
    await server.restart({ flags: { "sync-seconds": 1, ...store.flags }, env: store.env });
    await expectArchived(server, store);
    const [first] = await allRecordings(server.httpBase);
    const period = `from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z`;
    const answer = await fetch(`${server.httpBase}/api/recordings/${first!.device}?${period}`, {
      method: "DELETE",
    });
    expect(answer.status).toBe(200);
    await expectArchived(server, store);
    expect(await wavs(store)).toHaveLength(1);
  });

  test("that was changed after it was recorded never reaches the archive, and the log says so", async () => {
    await using store = await ObjectStore.start();
    store.fault = () => "error 500";
    await using server = await start(store);
    const [recorded] = await recordCounting(server, "mic", shortFrames);
    const path = join(folderOf(server), recorded!.wav.path);
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1]! ^= 1;
    await Bun.write(path, bytes);
    store.fault = () => "pass";
    await server.untilLogged("a recording differs from what was recorded, and is not archived");
    expect(await wavs(store)).toEqual([]);
  });

  test("waits while the object store is down, also over a restart, and devices record on", async () => {
    await using store = await ObjectStore.start();
    store.fault = () => "error 500";
    await using server = await start(store);
    await recordCounting(server, "mic", longFrames);
    await server.untilLogged("the archive cannot be reached");
    await server.restart();
    await recordCounting(server, "mic", shortFrames);
    store.fault = () => "pass";
    await expectArchived(server, store);
  });

  test("that is longer than a part is stored in parts, each once, also over a kill between them", async () => {
    await using store = await ObjectStore.start();
    const flags = { "rotate-seconds": 3600, "sync-seconds": 1, ...store.flags };
    const env = { ...store.env, WAVECACHE_FAILPOINTS: "archive.part*1=kill" };
    await using server = await TestServer.start({ flags, env });
    const format = { ...pcmFormat, sampleRate: 48_000, channels: 2, frameSamples: 960 };
    await recordCounting(server, "mic", 4_600, format).catch(() => {});
    await server.waitForExit(limitMs);
    await server.restart({ flags, env: store.env });
    await expectArchived(server, store);
    const [recording] = await allRecordings(server.httpBase);
    expect(recording!.wav.bytes).toBeGreaterThan(16 * 1024 * 1024);
    // The begin, two parts, the end; and what was measured of it.
    expect([store.count("POST", "recordings/"), store.count("PUT", "recordings/")]).toEqual([2, 3]);
  });

  test.each(["archive.put", "archive.stored"])("is there once after a kill at %s", async (point) => {
    await using store = await ObjectStore.start();
    await using server = await start(store, {}, { WAVECACHE_FAILPOINTS: `${point}*1=kill` });
    await recordCounting(server, "mic", longFrames).catch(() => {});
    await server.waitForExit(limitMs);
    await server.restart({ flags: { "sync-seconds": 1, ...store.flags }, env: store.env });
    await recordCounting(server, "mic", shortFrames);
    await expectArchived(server, store);
  });
});
