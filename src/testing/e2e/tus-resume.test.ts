import { afterAll, beforeAll, expect, test } from "bun:test";
import { MiB } from "../../base/limits/units.ts";
import { Random, seeded, sha256 } from "../harness/bytes.ts";
import { streamInfo } from "../harness/http/streams.ts";
import { endlessBody, streamIdOf, TusPeer } from "../harness/http/tus.ts";
import { AudioCachePeer, freshId } from "../harness/peers/audio-cache.ts";
import { plain, V1Peer } from "../harness/peers/v1.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

let server: TestServer;
let peer: TusPeer;

beforeAll(async () => {
  server = await TestServer.start();
  peer = new TusPeer(server.httpBase);
});

afterAll(() => server.dispose());

const audio = new Random(1).bytes(2 * MiB + 5);
const half = MiB + 3;
const finished = { state: "finished", size: audio.length, sha256: sha256(audio) };

test("an upload that tus began is finished by the audio cache's protocol", async () => {
  const path = await peer.create(audio.length);
  await peer.patch(path, 0, audio.subarray(0, half));
  using other = await AudioCachePeer.open(server.url);
  const id = streamIdOf(path);
  expect(await other.resume(id)).toBe(half);
  await other.sendAudio(audio.subarray(half));
  expect(await other.stop(id)).toMatchObject({ size: audio.length, sha256: sha256(audio) });
  expect(await peer.offset(path)).toBe(audio.length);
});

test("an upload that the audio cache's protocol began is finished by tus", async () => {
  const id = freshId("legacy");
  using other = await AudioCachePeer.open(server.url);
  await other.start(id);
  await other.sendAudio(audio.subarray(0, half));
  await other.untilReceived(id, half);
  const path = `/api/tus/${id}`;
  const { headers } = await peer.head(path);
  expect([headers.get("upload-offset"), headers.get("upload-defer-length")]).toEqual([String(half), "1"]);
  const length = { "upload-length": String(audio.length) };
  expect((await peer.patch(path, half, audio.subarray(half), length)).status).toBe(204);
  expect(await streamInfo(server.httpBase, id)).toMatchObject(finished);
});

test("an upload that tus began is finished by protocol v1", async () => {
  const path = await peer.create(audio.length, { filename: "a.wav" });
  await peer.patch(path, 0, audio.subarray(0, half));
  using other = await V1Peer.open(server.url);
  const opened = await other.resume(1, streamIdOf(path));
  expect(opened).toMatchObject({ offset: half, metadata: { tags: { name: "a.wav" } } });
  await other.write(1, audio, half);
  expect(await other.finish(1, audio.length)).toMatchObject({ outcome: "finished", sha256: sha256(audio) });
  expect(await peer.offset(path)).toBe(audio.length);
});

test("an upload that protocol v1 began with its size is finished by tus", async () => {
  const streamId = freshId("v1");
  using other = await V1Peer.open(server.url);
  other.send({ type: "WRITE", channel: 1, streamId, mode: "create", metadata: plain, size: audio.length });
  await other.write(1, audio, 0, half);
  await other.untilDurable(1, half);
  const path = `/api/tus/${streamId}`;
  expect((await peer.head(path)).headers.get("upload-length")).toBe(String(audio.length));
  expect((await peer.patch(path, half, audio.subarray(half))).status).toBe(204);
  expect(await streamInfo(server.httpBase, streamId)).toMatchObject(finished);
});

test("an upload whose last byte came, but not its end, is finished by the next HEAD", async () => {
  const streamId = freshId("complete");
  using other = await V1Peer.open(server.url);
  other.send({ type: "WRITE", channel: 1, streamId, mode: "create", metadata: plain, size: audio.length });
  await other.write(1, audio);
  await other.untilDurable(1, audio.length);
  await server.kill9();
  await server.restart();
  peer = new TusPeer(server.httpBase);
  expect(await streamInfo(server.httpBase, streamId)).toMatchObject({ state: "unfinished" });
  expect(await peer.offset(`/api/tus/${streamId}`)).toBe(audio.length);
  expect(await streamInfo(server.httpBase, streamId)).toMatchObject(finished);
});

test("audio that does not match its sender's digest is finished by no HEAD", async () => {
  const streamId = freshId("digest");
  const digest = Buffer.from(sha256(audio.subarray(1)), "hex").toString("base64");
  const put = await fetch(`${server.httpBase}/api/streams/${streamId}/audio`, {
    method: "PUT",
    headers: { "repr-digest": `sha-256=:${digest}:` },
    body: audio,
  });
  expect(put.status).toBe(400);
  const { headers } = await peer.head(`/api/tus/${streamId}`);
  expect([headers.get("upload-offset"), headers.get("upload-defer-length")]).toEqual([
    String(audio.length),
    "1",
  ]);
  expect(await streamInfo(server.httpBase, streamId)).toMatchObject({ state: "unfinished" });
});

test("length, metadata and offset survive kill -9, and the upload goes on from there", async () => {
  const path = await peer.create(audio.length, { filename: "a.wav", artist: "B" });
  const deferred = await peer.create(undefined);
  await peer.patch(deferred, 0, audio.subarray(0, 10), { "upload-length": String(audio.length) });
  const patched = peer.patch(path, 0, endlessBody(audio.subarray(0, half))).catch(() => "cut");
  await until("the audio to arrive", 10_000, async () => (await peer.offset(path)) === half);
  await server.kill9();
  expect(await patched).toBe("cut");
  await server.restart();
  peer = new TusPeer(server.httpBase);
  const { headers } = await peer.head(path);
  expect(headers.get("upload-length")).toBe(String(audio.length));
  expect(headers.get("upload-metadata")).toBe("filename YS53YXY=,artist Qg==");
  expect(headers.get("upload-offset")).toBe(String(half));
  expect((await peer.head(deferred)).headers.get("upload-length")).toBe(String(audio.length));
  for (const [upload, at] of [
    [path, half],
    [deferred, 10],
  ] as const) {
    expect((await peer.patch(upload, at, audio.subarray(at))).status).toBe(204);
    expect(await streamInfo(server.httpBase, streamIdOf(upload))).toMatchObject(finished);
  }
});

test(
  "whatever a HEAD has told is there after kill -9",
  seeded(async (random) => {
    const uploads = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const path = await peer.create(audio.length);
        const cut = random.int(1, audio.length - 1);
        const patched = peer.patch(path, 0, endlessBody(audio.subarray(0, cut))).catch(() => "cut");
        return { path, patched };
      }),
    );
    const told = await Promise.all(uploads.map(({ path }) => peer.offset(path)));
    await server.kill9();
    await Promise.all(uploads.map(({ patched }) => patched));
    await server.restart();
    peer = new TusPeer(server.httpBase);
    for (const [index, { path }] of uploads.entries()) {
      const offset = await peer.offset(path);
      expect(offset).toBeGreaterThanOrEqual(told[index]!);
      expect((await peer.patch(path, offset, audio.subarray(offset))).status).toBe(204);
      expect(await streamInfo(server.httpBase, streamIdOf(path))).toMatchObject(finished);
    }
  }),
);
