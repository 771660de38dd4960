/** A policy that refuses: no upload gets past it over any protocol, nothing is removed, and room lets the next one in. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { MiB } from "../../base/limits/units.ts";
import { Random } from "../harness/bytes.ts";
import { runClient } from "../harness/client-process.ts";
import { audioPath, refusal } from "../harness/http/http-upload.ts";
import { allRecordings } from "../harness/http/recordings.ts";
import { listStreams } from "../harness/http/streams.ts";
import { metadataHeader, TusPeer } from "../harness/http/tus.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { countingPayload, IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
import { plain, V1Peer } from "../harness/peers/v1.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

const limitMs = 10_000;
let server: TestServer;

beforeAll(async () => {
  server = await TestServer.start({ flags: { policy: "streams/kitchen-* refuse 1MiB", "sync-seconds": 1 } });
});

afterAll(() => server.dispose());

function put(id: string, bytes: number): Promise<Response> {
  return fetch(server.httpBase + audioPath(id), { method: "PUT", body: new Random(bytes).bytes(bytes) });
}

/** The policy counts what is stored a moment after it was stored. */
async function untilRefused(id: string): Promise<void> {
  using peer = await AudioCachePeer.open(server.url);
  await until(`${id} to be refused`, limitMs, async () => {
    peer.send({ type: "START", streamId: id });
    const answer = await peer.next();
    if (answer.payload.toString("utf8").includes("cache is full")) return true;
    peer.send({ type: "STOP", streamId: id });
    await peer.expectControl("STOPPED", id);
    await fetch(`${server.httpBase}/api/streams/${id}`, { method: "DELETE" });
    return undefined;
  });
}

/** What each way to begin a stream is answered with. */
async function outcomes(id: string): Promise<Record<string, string>> {
  const tus = new TusPeer(server.httpBase);
  const created = await tus.request("POST", "/api/tus", {
    "upload-length": "100",
    "upload-metadata": metadataHeader({ streamId: `${id}-tus` }),
  });
  const v1 = await V1Peer.open(server.url);
  v1.send({ type: "WRITE", channel: 1, streamId: `${id}-v1`, mode: "resume", metadata: plain });
  const word = await v1.lastWord(1);
  using peer = await AudioCachePeer.open(server.url);
  peer.send({ type: "START", streamId: `${id}-resumed`, resume: true });
  const { message } = await peer.expectError(/./);
  return {
    put: await refusal(await put(`${id}-put`, 100)),
    tus: `${created.status} ${created.code}`,
    v1: "code" in word ? String(word.code) : word.type,
    resume: message,
  };
}

test("a full policy refuses uploads of its pattern over every protocol, and removes nothing", async () => {
  expect((await put("kitchen-1", MiB)).ok).toBe(true);
  await untilRefused("kitchen-2");
  const given = await outcomes("kitchen-3");
  expect(given).toMatchObject({ put: "507 CACHE_FULL", tus: "507 CACHE_FULL", v1: "CACHE_FULL" });
  expect(given["resume"]).toContain("cache is full");
  expect((await put("garage-1", 2 * MiB)).ok).toBe(true);
  expect((await listStreams(server.httpBase)).map(({ streamId }) => streamId)).toEqual([
    "garage-1",
    "kitchen-1",
  ]);
});

test("the client shows which limit to raise", async () => {
  await put("kitchen-1", MiB);
  await untilRefused("kitchen-2");
  const file = join(server.folder, "kitchen-4");
  writeFileSync(file, new Random(4).bytes(100));
  const { code, err } = await runClient(["upload", file, "--id", "kitchen-4", "-s", server.url]);
  expect(code).toBe(1);
  expect(err).toMatch(/cache is full/);
  expect(err).toMatch(/raise .*the policy/);
});

test("an upload that has begun goes on in a full policy", async () => {
  await fetch(`${server.httpBase}/api/streams/kitchen-1`, { method: "DELETE" });
  using peer = await AudioCachePeer.open(server.url);
  await until("room", limitMs, async () => {
    peer.send({ type: "START", streamId: "kitchen-long" });
    return (await peer.next()).payload.toString("utf8").includes("STARTED") || undefined;
  });
  await peer.sendAudio(new Random(5).bytes(MiB));
  expect((await put("kitchen-1", MiB)).ok).toBe(true);
  await untilRefused("kitchen-2");
  await peer.sendAudio(new Random(6).bytes(1000));
  await peer.stop("kitchen-long");
  await fetch(`${server.httpBase}/api/streams/kitchen-long`, { method: "DELETE" });
});

test("room that a removal makes lets uploads in again within moments", async () => {
  await put("kitchen-1", MiB);
  await untilRefused("kitchen-2");
  await fetch(`${server.httpBase}/api/streams/kitchen-1`, { method: "DELETE" });
  await until("an upload to be taken", limitMs, async () => (await put("kitchen-5", 1000)).ok || undefined);
});

test("devices are recorded while uploads are refused", async () => {
  await put("kitchen-1", MiB);
  await untilRefused("kitchen-2");
  const device = await IngestDevice.open(server.httpBase, pcmFormat, "kitchen-1");
  for (let frame = 0; frame < 50; frame += 1) device.send(countingPayload(frame * 320, 320));
  await device.close();
  await until("a recording", limitMs, async () => {
    return (await allRecordings(server.httpBase)).length > 0 || undefined;
  });
});
