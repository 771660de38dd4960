/** `server doctor` finds what is wrong with a store, and mends it without deleting anything. */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { failedAdmin, runAdmin } from "../harness/admin.ts";
import { Random, sha256 } from "../harness/bytes.ts";
import { lostAndFound, storedObjects } from "../harness/cache-folder.ts";
import { allRecordings } from "../harness/http/recordings.ts";
import { listStreams } from "../harness/http/streams.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { openDevices, sendInRealTime } from "../harness/recording-ledger.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

const audios = Array.from({ length: 4 }, (_, index) => new Random(index).bytes(50_000));

function objectPath(server: TestServer, audio: Uint8Array): string {
  const digest = sha256(audio);
  return join(server.cacheDir, "objects-v1", digest.slice(0, 2), digest);
}

async function startWithAudio(): Promise<TestServer> {
  const server = await TestServer.start();
  using peer = await AudioCachePeer.open(server.url);
  for (const [index, audio] of audios.entries()) await peer.upload(`stream-${index}`, audio);
  return server;
}

/** The codes of the problems, sorted. */
async function codesOf(server: TestServer, ...args: string[]): Promise<string[]> {
  const { code, problems } = await runAdmin(server, "doctor", ...args);
  expect(code).toBe(problems.every(({ isMended }) => isMended) ? 0 : 1);
  return problems.map((problem) => problem.code).toSorted();
}

test("a sound store has no problems, whether its server runs or not", async () => {
  await using server = await startWithAudio();
  expect(await runAdmin(server, "doctor", "--deep")).toMatchObject({
    code: 0,
    isServerRunning: true,
    streams: 4,
    problems: [],
  });
  await server.kill9();
  expect(await runAdmin(server, "doctor", "--deep")).toMatchObject({ code: 0, streams: 4, problems: [] });
});

test("damage of every kind is found, and mended by moving it aside", async () => {
  await using server = await startWithAudio();
  await server.stop();
  const [missing, cut, flipped] = audios.map((audio) => objectPath(server, audio));
  rmSync(missing!);
  writeFileSync(cut!, audios[1]!.subarray(0, 100));
  const bytes = readFileSync(flipped!);
  bytes[25_000]! ^= 1;
  writeFileSync(flipped!, bytes);
  await Bun.write(join(server.cacheDir, "incoming", "stray"), "stray");
  await Bun.write(join(server.cacheDir, "objects-v1", "ab", "ab".repeat(32)), "orphan");

  const shallow = ["object-damaged", "object-missing", "orphan", "orphan"];
  expect(await codesOf(server)).toEqual(shallow);
  expect(await codesOf(server, "--deep")).toEqual(["object-damaged", ...shallow]);
  expect(await codesOf(server, "--deep", "--repair")).toEqual(["object-damaged", ...shallow]);
  expect(await codesOf(server, "--deep")).toEqual([]);
  const kept = await lostAndFound(server.cacheDir);
  expect(kept).toContain("incoming/stray");
  expect(kept.filter((path) => path.startsWith("objects/")).length).toBe(3);
  expect(kept.filter((path) => path.startsWith("catalog/removed-stream")).length).toBe(3);
  await server.restart();
  expect((await listStreams(server.httpBase)).map(({ streamId }) => streamId)).toEqual(["stream-3"]);
});

test("a missing object that lies in lost+found comes back with --repair", async () => {
  await using server = await startWithAudio();
  await server.stop();
  const path = objectPath(server, audios[0]!);
  const aside = join(server.cacheDir, "lost+found", "20260101", "objects", sha256(audios[0]!));
  await Bun.write(aside, "");
  renameSync(path, aside);
  expect(await codesOf(server, "--repair")).toEqual(["object-missing"]);
  expect(await codesOf(server, "--deep")).toEqual([]);
  expect(sha256(readFileSync(path))).toBe(sha256(audios[0]!));
});

test("a running server's damage is found without touching it, and --repair is refused", async () => {
  await using server = await startWithAudio();
  rmSync(objectPath(server, audios[0]!));
  expect(await codesOf(server)).toEqual(["object-missing"]);
  expect(await failedAdmin(server, "doctor", "--repair")).toMatchObject({ code: 1 });
  expect((await listStreams(server.httpBase)).length).toBe(4);
});

for (const [what, damage] of [
  ["missing", (path: string) => rmSync(path)],
  ["no database", (path: string) => writeFileSync(path, "no database at all".repeat(1000))],
  ["full of zeros in the middle", zeroMiddle],
] as const) {
  test(`a catalog that is ${what} is found, and built anew with --rebuild-catalog`, async () => {
    await using server = await startWithAudio();
    const streams = await listStreams(server.httpBase);
    await server.stop();
    damage(join(server.cacheDir, "catalog.db"));
    expect(await codesOf(server)).toEqual(["catalog-lost"]);
    expect(await codesOf(server, "--rebuild-catalog")).toEqual(["catalog-lost"]);
    expect(await codesOf(server, "--deep")).toEqual([]);
    await server.restart();
    expect(await listStreams(server.httpBase)).toEqual(streams);
    const objects = await storedObjects(server.cacheDir);
    expect(objects.length).toBe(audios.length);
  });
}

/** Keeps the first page, whose header SQLite checks when it opens the file. */
function zeroMiddle(path: string): void {
  const bytes = readFileSync(path);
  bytes.fill(0, 4096);
  writeFileSync(path, bytes);
}

test("recordings that are changed, gone or unlisted are found", async () => {
  await using server = await TestServer.start({ flags: { "sync-seconds": 1 } });
  const devices = await openDevices(server, "device", 3);
  await Promise.all(devices.map((each) => sendInRealTime(each, performance.now() + 300, new Random(1))));
  for (const { device } of devices) await device.close();
  await until("recordings", 5_000, async () => (await allRecordings(server.httpBase)).length === 3);
  await server.stop();
  expect(await codesOf(server, "--deep")).toEqual([]);
  const folders = ["device-0", "device-1", "device-2"].map((name) => join(server.folder, "received", name));
  const wav = join(
    folders[0]!,
    readdirSync(folders[0]!).find((name) => name.endsWith(".wav"))!,
  );
  const bytes = readFileSync(wav);
  bytes[0] = 0;
  writeFileSync(wav, bytes);
  rmSync(folders[1]!, { recursive: true });
  expect(await codesOf(server)).toEqual(["recording-missing", "recording-unreadable"]);
  expect(await codesOf(server, "--deep")).toEqual(["recording-changed", "recording-missing"]);
  // A copy under another name is a recording that the catalog does not have.
  const bin = readdirSync(folders[2]!).find((name) => name.endsWith(".bin"));
  for (const extension of ["bin", "wav"]) {
    const from = join(folders[2]!, bin!.replace(/bin$/, extension));
    await Bun.write(from.replace("stream_2", "stream_9"), Bun.file(from));
  }
  expect(await codesOf(server)).toContain("recording-unlisted");
  await runAdmin(server, "doctor", "--repair");
  expect(await codesOf(server)).toEqual(["recording-unreadable"]);
});

test("an empty folder of recordings removes no entry", async () => {
  await using server = await TestServer.start({ flags: { "sync-seconds": 1 } });
  const devices = await openDevices(server, "device", 1);
  await sendInRealTime(devices[0]!, performance.now() + 200, new Random(1));
  await devices[0]!.device.close();
  await until("a recording", 5_000, async () => (await allRecordings(server.httpBase)).length === 1);
  await server.stop();
  const folder = join(server.folder, "received");
  renameSync(folder, `${folder}-unmounted`);
  expect(await codesOf(server, "--repair")).toEqual(["recordings-lost"]);
  rmSync(folder, { recursive: true });
  renameSync(`${folder}-unmounted`, folder);
  expect(await codesOf(server)).toEqual([]);
});

test("a stream that the server has marked as damaged is a problem until its audio is whole and the mark removed", async () => {
  await using server = await startWithAudio();
  const path = objectPath(server, audios[0]!);
  const whole = readFileSync(path);
  const flipped = Buffer.from(whole);
  flipped[0]! ^= 1;
  writeFileSync(path, flipped);
  using peer = await AudioCachePeer.open(server.url);
  peer.get("stream-0", 0, 1000);
  await peer.expectError(/damaged/);
  await until("the warning", 10_000, () => server.log.includes("stream-0"));
  await server.stop();
  expect(await codesOf(server)).toEqual(["object-damaged"]);
  writeFileSync(path, whole);
  expect(await codesOf(server)).toEqual(["mark-stale"]);
  expect(await codesOf(server, "--repair")).toEqual(["mark-stale"]);
  expect(await codesOf(server)).toEqual([]);
});
