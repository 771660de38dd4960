/** Recordings whose samples are in the archive alone: read as any other, and known to every command. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { runAdmin } from "../harness/admin.ts";
import { sha256 } from "../harness/bytes.ts";
import { scrape } from "../harness/http/exposition.ts";
import { allRecordings, type ListedRecording } from "../harness/http/recordings.ts";
import { microseconds, timelineOf } from "../harness/http/timeline.ts";
import { recordCounting } from "../harness/recorded-audio.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { hasObjectStore, ObjectStore } from "../harness/servers/object-store.ts";
import { testLimitMs, until } from "../harness/until.ts";

useServers();
setDefaultTimeout(testLimitMs);
const limitMs = 18_000;
/** More than a MiB. */
const frames = 2_000;

const wavsIn = ({ folder }: TestServer) =>
  fs
    .readdirSync(join(folder, "received"), { recursive: true })
    .filter((path) => String(path).endsWith(".wav"));

function settings(store: ObjectStore, flags = {}) {
  return { flags: { "sync-seconds": 1, ...store.flags, "archive-local-bytes": 1, ...flags }, env: store.env };
}

/** A server with a recording that is not here any more. */
async function startEvicted(
  store: ObjectStore,
  env = {},
): Promise<{ server: TestServer; recording: ListedRecording }> {
  const { flags, env: credentials } = settings(store);
  const server = await TestServer.start({ flags, env: { ...credentials, ...env } });
  const [recording] = await recordCounting(server, "mic", frames);
  await untilEvicted(server);
  return { server, recording: recording! };
}

const untilEvicted = (server: TestServer) =>
  until("the samples to go", limitMs, () => wavsIn(server).length === 0);

async function answerOf({ httpBase }: TestServer, path: string, headers = {}) {
  const response = await fetch(`${httpBase}${path}`, { headers });
  const body = new Uint8Array(await response.arrayBuffer());
  return { status: response.status, body, text: new TextDecoder().decode(body.subarray(0, 300)) };
}

async function expectReadable(server: TestServer, digest: string): Promise<void> {
  const [listed] = await allRecordings(server.httpBase);
  expect([listed!.wav.sha256, listed!.missing]).toEqual([digest, undefined]);
  const whole = await answerOf(server, `/api/recordings/${listed!.id}/audio`);
  expect([whole.status, sha256(whole.body)]).toEqual([200, digest]);
}

describe.if(hasObjectStore)("a recording in the archive alone", () => {
  test("is read as a whole, by range and by time, has its peaks and levels, and shows in the metrics", async () => {
    await using store = await ObjectStore.start();
    await using server = await TestServer.start(settings(store, { "archive-local-bytes": "1GiB" }));
    const [recording] = await recordCounting(server, "mic", frames);
    await until("it to be archived", limitMs, () => store.count("PUT", "recordings/") === 2);
    const startUs = microseconds((await timelineOf(server.httpBase, "mic"))!.spans[0]!.start);
    const [from, to] = [startUs, startUs + 3_000_000].map((us) => new Date(us / 1000).toISOString());
    const paths = ["audio?", "peaks?points=100&", "levels?points=100&"].map(
      (what) => `/api/recordings/mic/${what}from=${from}&to=${to}`,
    );
    paths.push(`/api/recordings/${recording!.id}/audio`);
    const readAll = () => Promise.all(paths.map((path) => answerOf(server, path)));
    const before = await readAll();
    await server.restart(settings(store));
    await untilEvicted(server);
    store.requests.length = 0;
    const range = await answerOf(server, paths[3]!, { range: "bytes=100-199" });
    expect([range.status, store.count("GET", "recordings/")]).toEqual([206, 2]);
    expect(await readAll()).toEqual(before);
    expect(before.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    const metrics = (await scrape(server.httpBase))!;
    expect(metrics.sum("wavecache_archive_recordings", { state: "archived" })).toBe(1);
    expect(metrics.sum("wavecache_archive_recording_bytes", { state: "archived" })).toBe(
      recording!.wav.bytes,
    );
  });

  test.each(["evict.recordings.1", "evict.recordings.2"])("is whole after a kill at %s", async (point) => {
    await using store = await ObjectStore.start();
    const { flags, env } = settings(store);
    await using server = await TestServer.start({
      flags,
      env: { ...env, WAVECACHE_FAILPOINTS: `${point}*1=kill` },
    });
    const digest = (await recordCounting(server, "mic", frames))[0]!.wav.sha256;
    await server.waitForExit(limitMs);
    await server.restart({ flags, env });
    expect(await allRecordings(server.httpBase)).toHaveLength(1);
    await untilEvicted(server);
    await expectReadable(server, digest);
    expect(server.log).not.toContain("recordings without files");
  });

  test("is fetched again if what came is damaged here", async () => {
    await using store = await ObjectStore.start();
    const { server, recording } = await startEvicted(store);
    await using _ = server;
    await expectReadable(server, recording.wav.sha256);
    const piece = join(server.cacheDir, "fetched", recording.wav.sha256);
    fs.writeFileSync(piece, fs.readFileSync(piece).fill(9, 5_000, 5_100));
    store.requests.length = 0;
    await expectReadable(server, recording.wav.sha256);
    expect(store.count("GET", "recordings/")).toBeGreaterThan(0);
  });

  test("is no problem for the doctor, comes back with a backup, and survives the loss of the catalog", async () => {
    await using store = await ObjectStore.start();
    const { server, recording } = await startEvicted(store);
    await using _ = server;
    const dir = join(server.folder, "backup");
    expect(await runAdmin(server, "doctor")).toMatchObject({ code: 0, problems: [], recordings: 1 });
    expect(await runAdmin(server, "backup", dir, "--recordings")).toMatchObject({
      code: 0,
      archivedRecordings: 1,
      problems: [],
    });
    await server.stop();
    expect(await runAdmin(server, "doctor")).toMatchObject({ code: 0, problems: [] });
    for (const end of ["", "-wal", "-shm"])
      fs.rmSync(join(server.cacheDir, `catalog.db${end}`), { force: true });
    await server.restart();
    await expectReadable(server, recording.wav.sha256);
    await server.stop();
    fs.rmSync(server.cacheDir, { recursive: true });
    fs.rmSync(join(server.folder, "received"), { recursive: true });
    expect(await runAdmin(server, "restore", dir)).toMatchObject({ code: 0, recordings: 1, problems: [] });
    await server.restart();
    await expectReadable(server, recording.wav.sha256);
    expect(await store.keys()).toHaveLength(2);
  });

  test("is also one whose file somebody has removed or changed here", async () => {
    await using store = await ObjectStore.start();
    await using server = await TestServer.start(settings(store, { "archive-local-bytes": "1GiB" }));
    const digests: string[] = [];
    for (const device of ["a", "b"]) digests.push((await recordCounting(server, device, 200))[0]!.wav.sha256);
    await until("both to be archived", limitMs, () => store.count("PUT", "recordings/") === 4);
    const [first, second] = await allRecordings(server.httpBase);
    for (const kind of ["wav", "bin"] as const) fs.rmSync(join(server.folder, "received", first![kind].path));
    const changed = join(server.folder, "received", second!.wav.path);
    fs.writeFileSync(changed, fs.readFileSync(changed).fill(1, 1000, 1100));
    for (const [index, { id }] of [first!, second!].entries()) {
      const answer = await answerOf(server, `/api/recordings/${id}/audio`);
      expect(sha256(answer.body)).toBe(digests[index]!);
    }
    expect(wavsIn(server)).toEqual([]);
    expect((await allRecordings(server.httpBase)).map(({ missing }) => missing)).toEqual([
      ["bin"],
      undefined,
    ]);
  });

  test("cannot be read without the archive, and says so; nor can a stream", async () => {
    await using store = await ObjectStore.start();
    const { server, recording } = await startEvicted(store);
    await using _ = server;
    await fetch(`${server.httpBase}/api/streams/s/audio`, {
      method: "PUT",
      body: new Uint8Array(5_000).fill(7),
    });
    const objects = join(server.cacheDir, "objects-v1");
    const hasObject = () =>
      fs.readdirSync(objects, { recursive: true, withFileTypes: true }).some((each) => each.isFile());
    await until("the object to go", limitMs, () => !hasObject());
    await server.restart({ flags: { "sync-seconds": 1 }, env: {} });
    await server.untilLogged("audio is in the archive alone, and there is no --archive");
    for (const path of [`/api/recordings/${recording.id}/audio`, "/api/streams/s/audio"]) {
      const { status, text } = await answerOf(server, path);
      expect([status, text]).toEqual([503, expect.stringContaining("ARCHIVE_UNAVAILABLE")]);
    }
    expect(await (await fetch(`${server.httpBase}/readyz`)).text()).toContain("ARCHIVE_UNAVAILABLE");
    await server.restart(settings(store));
    await expectReadable(server, recording.wav.sha256);
    expect((await answerOf(server, "/api/streams/s/audio")).body).toEqual(new Uint8Array(5_000).fill(7));
  });
});
