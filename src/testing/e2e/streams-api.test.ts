import { afterAll, beforeAll, expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { AudioCachePeer, freshId } from "../harness/peers/audio-cache.ts";
import { Random, sha256 } from "../harness/bytes.ts";
import { debrisIn } from "../harness/cache-folder.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { listPage, listStreams, removeStream, streamInfo } from "../harness/http/streams.ts";
import { until } from "../harness/until.ts";
import { describeFrame } from "../harness/peers/websocket-frames.ts";

useServers();

let server: TestServer;

beforeAll(async () => {
  server = await TestServer.start();
});

afterAll(async () => {
  await server.dispose();
});

async function openPeer(): Promise<AudioCachePeer> {
  return await AudioCachePeer.open(server.url);
}

async function upload(subject: string, audio: Uint8Array): Promise<string> {
  using peer = await openPeer();
  const id = freshId(subject);
  await peer.upload(id, audio);
  return id;
}

test("a finished stream is listed with its size, digest and times as soon as STOPPED has arrived", async () => {
  const before = Date.now();
  const audio = new Random(1).bytes(12_345);
  const id = await upload("shown", audio);
  const info = await streamInfo(server.httpBase, id);
  expect(info).toMatchObject({ streamId: id, state: "finished", size: 12_345, sha256: sha256(audio) });
  const created = Date.parse(info!.createdAt);
  const finished = Date.parse(info!.finishedAt!);
  expect(created).toBeGreaterThanOrEqual(before - 1000);
  expect(finished).toBeGreaterThanOrEqual(created);
  expect(finished).toBeLessThanOrEqual(Date.now() + 1000);
});

test("an unfinished stream is listed as unfinished, with its bytes so far and without digest and end", async () => {
  using peer = await openPeer();
  const id = freshId("unfinished");
  await peer.start(id);
  await peer.sendAudio(new Random(2).bytes(100_000));
  await peer.untilReceived(id, 100_000);
  const info = await streamInfo(server.httpBase, id);
  expect(info).toMatchObject({ state: "unfinished", size: 100_000, sha256: null, finishedAt: null });
});

test("WAV audio is detected, and an unknown format is null", async () => {
  const header = Buffer.from("RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00", "latin1");
  const rates = Buffer.from("\x80\x3e\x00\x00\x00\x7d\x00\x00\x02\x00\x10\x00data\x00\x00\x00\x00", "latin1");
  const wav = await upload("wav", Buffer.concat([header, rates]));
  expect((await streamInfo(server.httpBase, wav))?.format).toMatch(/wav/i);
  const bytes = await upload("bytes", Buffer.alloc(500));
  expect((await streamInfo(server.httpBase, bytes))?.format).toBeNull();
});

test("the list has every stream once, page by page, and can be limited to a state", async () => {
  const finished = new Set<string>();
  for (let index = 0; index < 7; index++) finished.add(await upload("page", Buffer.from(`${index}`)));
  using peer = await openPeer();
  const open = freshId("page-open");
  await peer.start(open);
  const seen: string[] = [];
  for (let after: string | null = ""; after !== null;) {
    const from: string = after === "" ? "" : `&after=${after}`;
    const page = await listPage(server.httpBase, `?limit=3${from}`);
    expect(page.streams.length).toBeLessThanOrEqual(3);
    seen.push(...page.streams.map((stream) => stream.streamId));
    after = page.next;
  }
  expect(new Set(seen).size).toBe(seen.length);
  expect([...finished, open].filter((id) => !seen.includes(id))).toEqual([]);
  const states = await Promise.all([
    listStreams(server.httpBase, "finished"),
    listStreams(server.httpBase, "unfinished"),
  ]);
  const ids = states.map((streams) => streams.map((stream) => stream.streamId));
  expect(ids[0]).not.toContain(open);
  expect(ids[1]).toContain(open);
  expect([...finished].filter((id) => !ids[0]!.includes(id))).toEqual([]);
});

test("a bad query is rejected with 400 and a hint", async () => {
  for (const query of ["?state=lost", "?limit=x", "?limit=-1"]) {
    const response = await fetch(`${server.httpBase}/api/streams${query}`);
    const body = await response.text();
    expect(response.status, `${query} -> ${body}`).toBe(400);
    expect(body).toContain('"hint"');
  }
});

test("an unknown id, or the name of a built-in property, is 404 with code, message and hint", async () => {
  for (const id of ["no-such-stream", "toString", "constructor", "__proto__"]) {
    expect(await streamInfo(server.httpBase, id)).toBeUndefined();
    expect(await removeStream(server.httpBase, id)).toBe(404);
  }
});

test("an id that is not allowed is a client error", async () => {
  for (const id of ["..%2f..%2fetc", "%00", "a%20b", "x".repeat(129)]) {
    const response = await fetch(`${server.httpBase}/api/streams/${id}`);
    await response.text();
    expect([400, 404], `${id} -> ${response.status}`).toContain(response.status);
  }
});

test("a removed stream is gone everywhere, and frees its id and its space", async () => {
  const audio = new Random(3).bytes(50_000);
  const id = await upload("removed", audio);
  expect(await removeStream(server.httpBase, id)).toBe(204);
  expect(await streamInfo(server.httpBase, id)).toBeUndefined();
  expect(await removeStream(server.httpBase, id)).toBe(404);
  using peer = await openPeer();
  peer.get(id, 0, 100);
  await peer.expectError(`Failed to read from stream: ${id}`);
  let faults: string[] = [];
  await until(
    "the object to be removed",
    5_000,
    async () => (faults = await debrisIn(server.cacheDir, server.httpBase)).length === 0,
    () => faults.join("; "),
  );
  expect((await peer.upload(id, Buffer.from("new audio"))).size).toBe(9);
  expect((await peer.read(id, 0, 100)).toString()).toBe("new audio");
});

test("a new stream under the id of a removed one ends like any other", async () => {
  using peer = await openPeer();
  const id = freshId("renewed");
  await peer.upload(id, Buffer.from("old"));
  expect((await peer.read(id, 3, 100)).length).toBe(0);
  expect(await removeStream(server.httpBase, id)).toBe(204);
  await peer.upload(id, Buffer.from("new and longer"));
  expect((await peer.read(id, 0, 100)).toString()).toBe("new and longer");
  expect((await peer.read(id, 14, 100)).length).toBe(0);
});

test("removing one of two streams with the same audio leaves the other whole", async () => {
  const audio = new Random(4).bytes(200_000);
  const first = await upload("copy", audio);
  const second = await upload("copy", audio);
  expect(await removeStream(server.httpBase, first)).toBe(204);
  using peer = await openPeer();
  expect(sha256(await peer.download(second, audio.length))).toBe(sha256(audio));
});

test("a stream removed amid a download returns correct audio or an ERROR for each GET", async () => {
  const audio = new Random(5).bytes(4 * 1024 * 1024);
  const id = await upload("removed-amid", audio);
  using peer = await openPeer();
  const pieces = 256;
  const length = audio.length / pieces;
  for (let piece = 0; piece < pieces; piece++) peer.get(id, piece * length, length);
  await peer.expectBinary();
  expect(await removeStream(server.httpBase, id)).toBe(204);
  for (let piece = 1; piece < pieces; piece++) {
    const frame = await peer.next();
    const isRight = frame.payload.equals(audio.subarray(piece * length, (piece + 1) * length));
    const isError = describeFrame(frame).includes(`Failed to read from stream: ${id}`);
    if (!isRight && !isError) throw new Error(`GET ${piece} was answered with ${describeFrame(frame)}`);
  }
  peer.get(id, 0, 10);
  await peer.expectError(`Failed to read from stream: ${id}`);
});

test("an object that was deleted from outside is an ERROR to its readers only", async () => {
  const damaged = new Random(6).bytes(10_000);
  const id = await upload("damaged", damaged);
  const other = await upload("whole", Buffer.from("audio"));
  const digest = sha256(damaged);
  await rm(join(server.cacheDir, "objects-v1", digest.slice(0, 2), digest));
  await server.restart();
  using peer = await openPeer();
  peer.get(id, 0, 100);
  await peer.expectError(`Failed to read from stream: ${id}`);
  expect((await peer.read(other, 0, 100)).toString()).toBe("audio");
  expect(await removeStream(server.httpBase, id)).toBe(204);
  await peer.upload(id, damaged);
  expect(sha256(await peer.download(id, damaged.length))).toBe(digest);
});

test("a stream that is being uploaded cannot be removed", async () => {
  using peer = await openPeer();
  const id = freshId("busy");
  await peer.start(id);
  peer.socket.binary(Buffer.from("audio"));
  expect(await removeStream(server.httpBase, id)).toBe(409);
  expect((await peer.stop(id)).size).toBe(5);
});

test("an interrupted stream can be removed, together with its file", async () => {
  const id = freshId("left");
  using peer = await openPeer();
  await peer.start(id);
  peer.socket.binary(Buffer.from("audio"));
  await peer.close();
  await until(
    "the stream to be released",
    5_000,
    async () => (await removeStream(server.httpBase, id)) === 204,
  );
  expect(await streamInfo(server.httpBase, id)).toBeUndefined();
  using next = await openPeer();
  expect((await next.upload(id, Buffer.from("other audio"))).size).toBe(11);
});
