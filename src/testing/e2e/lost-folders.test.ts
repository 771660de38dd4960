/** Folders that are removed, replaced or remounted while the server runs: nothing is acknowledged into files that are gone. */
import { expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { AudioCachePeer, controlOf } from "../harness/peers/audio-cache.ts";
import { countingPayload, IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
import { Random, sha256 } from "../harness/bytes.ts";
import { listStreams, removeStream } from "../harness/http/streams.ts";
import { readiness } from "../harness/http/readiness.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

const lostMessage = /cache folder was removed or replaced/;
const audio = new Random(1).bytes(300_000);

const errorLines = (server: TestServer) => server.log.split("\n").filter((line) => / E(RR)? /.test(line));

async function untilUnready(server: TestServer, code: string): Promise<void> {
  await until(`/readyz to say ${code}`, 10_000, async () => (await readiness(server)).includes(code));
}

/** Ways to take the store away from under the server. Each returns how to restore it. */
const losses: [what: string, lose: (cacheDir: string) => () => void][] = [
  ["the cache folder is moved away", (cacheDir) => moveAway(cacheDir, false)],
  ["the cache folder is replaced by an empty one", (cacheDir) => moveAway(cacheDir, true)],
  ["incoming/ is replaced", (cacheDir) => moveAway(join(cacheDir, "incoming"), true)],
  ["objects-v1/ is replaced", (cacheDir) => moveAway(join(cacheDir, "objects-v1"), true)],
  ["the catalog is replaced by a copy", (cacheDir) => replaceByCopy(join(cacheDir, "catalog.db"))],
];

function moveAway(path: string, isReplaced: boolean): () => void {
  renameSync(path, `${path}.moved`);
  if (isReplaced) mkdirSync(path);
  return () => {
    rmSync(path, { recursive: true, force: true });
    renameSync(`${path}.moved`, path);
  };
}

function replaceByCopy(path: string): () => void {
  renameSync(path, `${path}.moved`);
  cpSync(`${path}.moved`, path);
  return () => renameSync(`${path}.moved`, path);
}

for (const [what, lose] of losses) {
  test(`${what}: uploads fail, /readyz and the log say why, and a restart with the folder back loses nothing`, async () => {
    await using server = await TestServer.start();
    using peer = await AudioCachePeer.open(server.url);
    await peer.upload("early", audio);
    await peer.start("open");
    await peer.sendAudio(audio);
    await peer.untilReceived("open", audio.length);
    const restore = lose(server.cacheDir);
    peer.send({ type: "STOP", streamId: "open" });
    expect((await peer.expectError(/./)).message).toMatch(lostMessage);
    await untilUnready(server, "STORE_LOST");
    using other = await AudioCachePeer.open(server.url);
    other.send({ type: "START", streamId: "new" });
    expect((await other.expectError(/./)).message).toMatch(lostMessage);
    expect(await removeStream(server.httpBase, "early")).toBe(503);
    expect(errorLines(server).filter((line) => lostMessage.test(line))).toEqual([
      expect.stringContaining("detail="),
    ]);
    // Checksums of the upload may have been on their way; they are made again if they are missing.
    if (what.includes("empty"))
      expect(readdirSync(server.cacheDir).filter((name) => name !== "sums-v1")).toEqual([]);
    await server.stop();
    restore();
    await server.restart();
    expect(await readiness(server)).toEqual([]);
    using again = await AudioCachePeer.open(server.url);
    expect(sha256(await again.download("early", audio.length))).toBe(sha256(audio));
    const offset = await again.resume("open");
    await again.sendAudio(audio.subarray(offset));
    expect((await again.stop("open")).sha256).toBe(sha256(audio));
  });
}

test("an upload in progress ends soon after the cache folder was removed, without waiting for its STOP", async () => {
  await using server = await TestServer.start();
  using peer = await AudioCachePeer.open(server.url);
  await peer.start("x");
  await peer.sendAudio(audio);
  await peer.untilReceived("x", audio.length);
  rmSync(server.cacheDir, { recursive: true });
  const reply = controlOf(await peer.next(10_000));
  expect(reply?.type).toBe("ERROR");
  expect(reply?.message).toMatch(lostMessage);
  expect((await fetch(`${server.httpBase}/healthz`)).status).toBe(200);
  expect(await listStreams(server.httpBase)).toBeArray();
  expect(existsSync(server.cacheDir)).toBe(false);
});

test("a keeper that dies after the cache folder was removed does not make a new one", async () => {
  await using server = await TestServer.start({ env: { WAVECACHE_FAILPOINTS: "commit.1*2=exit-worker" } });
  using peer = await AudioCachePeer.open(server.url);
  await peer.upload("early", audio);
  await peer.start("x");
  await peer.sendAudio(audio);
  await peer.untilReceived("x", audio.length);
  peer.send({ type: "STOP", streamId: "x" });
  renameSync(server.cacheDir, `${server.cacheDir}.moved`);
  expect((await peer.expectError(/./)).message).not.toBe("");
  await until("the keeper's restart", 10_000, () =>
    /keeper cannot open the store again|removed or replaced/.test(server.log),
  );
  expect(existsSync(server.cacheDir)).toBe(false);
});

for (const isReplaced of [false, true]) {
  test(`recordings fail once their folder is ${isReplaced ? "replaced" : "moved away"}, and no new folder is filled`, async () => {
    await using server = await TestServer.start({ flags: { "sync-seconds": 1 } });
    const folder = join(server.folder, "received");
    using device = await IngestDevice.open(server.httpBase, pcmFormat, "shed");
    const sending = setInterval(() => device.send(countingPayload(device.seq * 320, 320)), 20);
    try {
      const shed = join(folder, "shed");
      await until("a segment", 5_000, () => existsSync(shed) && readdirSync(shed).length > 0);
      moveAway(folder, isReplaced);
      expect((await device.closed(15_000)).code).toBe(1013);
    } finally {
      clearInterval(sending);
    }
    await untilUnready(server, "RECORDINGS_LOST");
    using refused = await IngestDevice.open(server.httpBase, pcmFormat, "shed");
    refused.send(countingPayload(0, 320));
    expect((await refused.closed()).reason).toMatch(/recordings folder was removed or replaced/);
    if (isReplaced) expect(readdirSync(folder)).toEqual([]);
    else expect(existsSync(folder)).toBe(false);
    using peer = await AudioCachePeer.open(server.url);
    await peer.upload("x", audio);
  });
}
