/** `server backup` and `server restore`, on a store whose server runs and on one whose server does not. */
import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { failedAdmin, runAdmin } from "../harness/admin.ts";
import { Random, seeded, sha256 } from "../harness/bytes.ts";
import { debrisAfterCheck, storedObjects } from "../harness/cache-folder.ts";
import { allRecordings } from "../harness/http/recordings.ts";
import { listStreams, removeStream } from "../harness/http/streams.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { V1Peer } from "../harness/peers/v1.ts";
import { openDevices, sendInRealTime } from "../harness/recording-ledger.ts";
import { runServerToExit, TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";
import { UploadLedger } from "../harness/upload-ledger.ts";

useServers();

async function uploadSome(server: TestServer, count: number, seed = 1): Promise<Map<string, Uint8Array>> {
  const random = new Random(seed);
  using peer = await AudioCachePeer.open(server.url);
  const uploads = new Map<string, Uint8Array>();
  for (let index = 0; index < count; index++) {
    const audio = random.bytes(10_000 + index);
    await peer.upload(`stream-${seed}-${index}`, audio);
    uploads.set(`stream-${seed}-${index}`, audio);
  }
  return uploads;
}

async function expectStreams(server: TestServer, uploads: Map<string, Uint8Array>): Promise<void> {
  const listed = await listStreams(server.httpBase, "finished");
  expect(listed.map(({ streamId }) => streamId).toSorted()).toEqual([...uploads.keys()].toSorted());
  using peer = await AudioCachePeer.open(server.url);
  for (const [id, audio] of uploads)
    expect(sha256(await peer.download(id, audio.length))).toBe(sha256(audio));
}

test("a backup of a running server, restored elsewhere, has its streams, metadata, recordings and audio", async () => {
  await using server = await TestServer.start();
  const uploads = await uploadSome(server, 20);
  using v1 = await V1Peer.open(server.url);
  const audio = new Random(7).bytes(30_000);
  await v1.upload(1, "tagged", audio, { contentType: "audio/x", format: undefined, tags: { name: "a.wav" } });
  uploads.set("tagged", audio);
  const devices = await openDevices(server, "device", 2);
  await Promise.all(devices.map((each) => sendInRealTime(each, performance.now() + 300, new Random(1))));
  for (const { device } of devices) await device.close();
  await until("recordings", 5_000, async () => (await allRecordings(server.httpBase)).length === 2);
  const dir = join(server.folder, "backup");
  expect(await runAdmin(server, "backup", dir, "--recordings")).toMatchObject({
    code: 0,
    streams: 21,
    recordings: 2,
    problems: [],
  });
  const before = {
    streams: await listStreams(server.httpBase),
    recordings: await allRecordings(server.httpBase),
  };

  await using other = await TestServer.start();
  await other.stop();
  rmSync(other.cacheDir, { recursive: true });
  expect(await runAdmin(other, "restore", dir)).toMatchObject({ code: 0, streams: 21, recordings: 2 });
  await other.restart();
  await expectStreams(other, uploads);
  expect(await listStreams(other.httpBase)).toEqual(before.streams);
  // Levels are no part of a backup: the server measures them again.
  await until("the levels of the recordings", 20_000, async () =>
    Bun.deepEquals(await allRecordings(other.httpBase), before.recordings),
  );
  expect(await allRecordings(other.httpBase)).toEqual(before.recordings);
  expect(await debrisAfterCheck(other.cacheDir, other.httpBase)).toEqual([]);
  const [recording] = before.recordings;
  const file = join(other.folder, "received", recording!.wav.path.replace(/^.*received\//, ""));
  expect(sha256(readFileSync(file))).toBe(recording!.wav.sha256);
  await other.stop();
  expect(await runAdmin(other, "doctor", "--deep")).toMatchObject({ code: 0, problems: [] });
});

test("a restore brings back what is pinned: streams, recordings and ranges of time", async () => {
  await using server = await TestServer.start({ flags: { "sync-seconds": 1 } });
  await uploadSome(server, 2);
  const devices = await openDevices(server, "device", 2);
  await Promise.all(devices.map((each) => sendInRealTime(each, performance.now() + 100, new Random(1))));
  for (const { device } of devices) await device.close();
  await until("recordings", 5_000, async () => (await allRecordings(server.httpBase)).length === 2);
  const second = (await allRecordings(server.httpBase))[1]!;
  const range = `/api/pins?${new URLSearchParams({ device: "kitchen", from: "1000", to: "2000" })}`;
  const pins = ["/api/streams/stream-1-1/pin", `/api/recordings/${second.id}/pin`, range];
  for (const path of pins) expect((await fetch(server.httpBase + path, { method: "PUT" })).status).toBe(204);
  const dir = join(server.folder, "backup");
  expect((await runAdmin(server, "backup", dir, "--recordings")).problems).toEqual([]);

  await using other = await TestServer.start();
  await other.stop();
  rmSync(other.cacheDir, { recursive: true });
  expect((await runAdmin(other, "restore", dir)).problems).toEqual([]);
  await other.restart();
  const streams = await listStreams(other.httpBase);
  expect(streams.filter(({ pinned }) => pinned).map(({ streamId }) => streamId)).toEqual(["stream-1-1"]);
  const recordings = await allRecordings(other.httpBase);
  expect(recordings.filter(({ pinned }) => pinned).map(({ wav }) => wav.path)).toEqual([second.wav.path]);
  expect(await (await fetch(`${other.httpBase}/api/pins`)).json()).toEqual(
    await (await fetch(`${server.httpBase}/api/pins`)).json(),
  );
});

test(
  "backups under load have every stream that was finished before and not removed, and no other damage",
  seeded(async (random) => {
    await using server = await TestServer.start();
    const ledger = new UploadLedger(random);
    const dir = join(server.folder, "backup");
    const over = new AbortController();
    const load = async (): Promise<void> => {
      using peer = await AudioCachePeer.open(server.url);
      while (!over.signal.aborted) {
        await ledger.run(peer, ledger.newUpload());
        if (ledger.kept.length > 40) await ledger.removeOne(server);
      }
    };
    const loads = [load(), load()];
    for (let round = 0; round < 2; round++) {
      await until("some streams", 20_000, () => ledger.kept.length > 20);
      const finishedBefore = ledger.kept.map((upload) => ({ ...upload }));
      expect(await runAdmin(server, "backup", dir, "--deep")).toMatchObject({ code: 0, problems: [] });
      const mustBeThere = finishedBefore.filter(
        ({ id }) => ledger.uploads.has(id) && !ledger.removed.has(id),
      );
      await using copy = await TestServer.start();
      await copy.stop();
      rmSync(copy.cacheDir, { recursive: true });
      expect(await runAdmin(copy, "restore", dir, "--deep")).toMatchObject({ code: 0, problems: [] });
      await copy.restart();
      const listed = new Map((await listStreams(copy.httpBase)).map((each) => [each.streamId, each]));
      for (const { id, sha256: digest } of mustBeThere) expect(listed.get(id)?.sha256).toBe(digest);
      expect(await debrisAfterCheck(copy.cacheDir, copy.httpBase)).toEqual([]);
    }
    over.abort();
    await Promise.all(loads);
  }),
);

test("a second backup links or copies only what is new, and drops what was removed", async () => {
  await using server = await TestServer.start();
  await uploadSome(server, 5);
  const dir = join(server.folder, "backup");
  expect(await runAdmin(server, "backup", dir)).toMatchObject({ linkedObjects: 5, keptObjects: 0 });
  await uploadSome(server, 2, 2);
  await removeStream(server.httpBase, "stream-1-0");
  await server.stop();
  const second = await runAdmin(server, "backup", dir);
  expect(second).toMatchObject({ code: 0, streams: 6, linkedObjects: 2, keptObjects: 4, removedObjects: 1 });
  expect((await storedObjects(dir)).length).toBe(6);
});

test("a backup with --copy shares no file with the store", async () => {
  await using server = await TestServer.start();
  await uploadSome(server, 2);
  const dir = join(server.folder, "backup");
  expect(await runAdmin(server, "backup", dir, "--copy")).toMatchObject({
    copiedObjects: 2,
    linkedObjects: 0,
  });
  const [object] = await storedObjects(dir);
  expect(statSync(join(dir, "objects-v1", object!.path)).nlink).toBe(1);
});

test("a backup reports audio that is missing or damaged in the store, with exit code 1", async () => {
  await using server = await TestServer.start();
  await uploadSome(server, 3);
  await server.stop();
  const [first, second] = await storedObjects(server.cacheDir);
  rmSync(join(server.cacheDir, "objects-v1", first!.path));
  writeFileSync(join(server.cacheDir, "objects-v1", second!.path), "other audio");
  const run = await runAdmin(server, "backup", join(server.folder, "backup"));
  expect(run.code).toBe(1);
  expect(run.problems.map(({ code }) => code).toSorted()).toEqual(["object-damaged", "object-missing"]);
});

test("a backup refuses a folder with other files, and what is no store", async () => {
  await using server = await TestServer.start();
  await uploadSome(server, 1);
  const other = join(server.folder, "other");
  await Bun.write(join(other, "file"), "mine");
  expect(await failedAdmin(server, "backup", other)).toMatchObject({ code: 1 });
  for (const command of [["backup", join(server.folder, "backup")], ["doctor"]]) {
    const run = await failedAdmin({ folder: server.folder, cacheDir: other }, ...command);
    expect(run).toMatchObject({ code: 1, stderr: expect.stringContaining("holds no store") });
  }
  expect(readdirSync(other)).toEqual(["file"]);
  expect(readFileSync(join(other, "file"), "utf8")).toBe("mine");
  expect(await failedAdmin(server, "backup")).toMatchObject({ code: 2 });
});

test("a restore refuses what is no backup, a store in use, and one that is not empty", async () => {
  await using server = await TestServer.start();
  const uploads = await uploadSome(server, 1);
  const dir = join(server.folder, "backup");
  await runAdmin(server, "backup", dir);
  expect((await failedAdmin(server, "restore", server.folder)).stderr).toContain("no usable backup");
  expect((await failedAdmin(server, "restore", dir)).stderr).toContain("in use");
  await server.stop();
  expect((await failedAdmin(server, "restore", dir)).stderr).toContain("not empty");
  await server.restart();
  await expectStreams(server, uploads);
});

test("restore --force over a store keeps what was finished since the backup", async () => {
  await using server = await TestServer.start();
  const uploads = await uploadSome(server, 3);
  const dir = join(server.folder, "backup");
  await runAdmin(server, "backup", dir);
  for (const [id, audio] of await uploadSome(server, 2, 2)) uploads.set(id, audio);
  await removeStream(server.httpBase, "stream-1-0");
  uploads.delete("stream-1-0");
  await server.kill9();
  writeFileSync(join(server.cacheDir, "catalog.db"), "no catalog");
  expect((await runAdmin(server, "restore", dir, "--force")).problems).toEqual([]);
  await server.restart();
  await until("the check", 10_000, () => server.log.includes("the store has been checked"));
  await expectStreams(server, uploads);
  expect(existsSync(join(server.cacheDir, "lost+found"))).toBe(true);
});

test(
  "a backup that is killed leaves the one before, and the next continues",
  seeded(async (random) => {
    await using server = await TestServer.start();
    const first = await uploadSome(server, 10);
    const dir = join(server.folder, "backup");
    // The server holds the lock of its own folder of recordings.
    const unused = join(server.folder, "unused");
    await runAdmin(server, "backup", dir, "--copy");
    const all = new Map([...first, ...(await uploadSome(server, 30, 2))]);
    for (let kill = 0; kill < 4; kill++) {
      const limitMs = random.int(100, 600);
      const run = runServerToExit(["backup", dir, "--copy", "--cache-dir", server.cacheDir], {}, limitMs);
      const isKilled = await run.then(
        () => false,
        () => true,
      );
      const check = await runAdmin({ cacheDir: dir, folder: unused }, "doctor", "--deep");
      const wrong = check.problems.filter(({ code }) => code !== "orphan");
      expect(wrong).toEqual([]);
      expect(check["streams"]).toBe(isKilled && check["streams"] !== all.size ? first.size : all.size);
    }
    expect(await runAdmin(server, "backup", dir)).toMatchObject({ code: 0, streams: all.size, problems: [] });
    const restored = {
      cacheDir: join(server.folder, "restored"),
      folder: join(server.folder, "restored-too"),
    };
    expect(await runAdmin(restored, "restore", dir, "--deep")).toMatchObject({ code: 0, streams: all.size });
  }),
);
