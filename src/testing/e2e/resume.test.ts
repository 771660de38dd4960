import { afterAll, beforeAll, expect, test } from "bun:test";
import { AudioCachePeer, controlOf, freshId, usualFrameBytes } from "../harness/peers/audio-cache.ts";
import { Random, seeded, sha256 } from "../harness/bytes.ts";
import { debrisIn, incomingFiles } from "../harness/cache-folder.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { listStreams, streamInfo } from "../harness/http/streams.ts";
import { until } from "../harness/until.ts";
import { encodeFrame, opcodes } from "../harness/peers/websocket-frames.ts";

useServers();

const KiB = 1024;
const MiB = 1024 * KiB;

let server: TestServer;

beforeAll(async () => {
  server = await TestServer.start();
});

afterAll(async () => {
  await server.dispose();
});

async function openPeer(of = server): Promise<AudioCachePeer> {
  return await AudioCachePeer.open(of.url);
}

type Cut = "close" | "end" | "reset" | "reset in a frame";

/** Sends `audio` in frames from offset `from` to about `to`, then cuts the connection. */
async function sendAndCut(
  peer: AudioCachePeer,
  audio: Uint8Array,
  from: number,
  to: number,
  cut: Cut,
): Promise<void> {
  await peer.sendAudio(audio.subarray(from, to), 8 * KiB);
  if (cut === "reset in a frame") {
    const mask = Buffer.from([1, 2, 3, 4]);
    const next = encodeFrame({
      opcode: opcodes.binary,
      payload: audio.subarray(to, to + usualFrameBytes),
      mask,
    });
    peer.socket.write(next.subarray(0, next.length - 1));
    await peer.socket.flush();
  }
  if (cut === "close") await peer.close();
  else if (cut === "end") peer.socket.end();
  else peer.socket.reset();
  await peer.socket.ended;
}

/** Uploads one stream with `cuts` cuts at random offsets, and resumes after each. */
async function uploadWithCuts(random: Random, cuts: number): Promise<void> {
  const audio = random.bytes(random.int(200_000, 2 * MiB));
  const id = freshId("cut");
  let sent = 0;
  for (let round = 0; round <= cuts; round++) {
    using peer = await openPeer();
    const offset = await peer.resume(id);
    if (offset > sent) throw new Error(`resumed at ${offset} although only ${sent} bytes were sent`);
    if (round === cuts) {
      await peer.sendAudio(audio.subarray(offset), 8 * KiB);
      const stopped = await peer.stop(id);
      expect(stopped).toMatchObject({ size: audio.length, sha256: sha256(audio) });
      expect(sha256(await peer.download(id, audio.length))).toBe(sha256(audio));
      return;
    }
    const to = random.int(offset, audio.length);
    const cut = random.pick<Cut>(["close", "end", "reset", "reset in a frame"]);
    await sendAndCut(peer, audio, offset, to, cut);
    sent = Math.max(sent, to);
  }
}

test(
  "a hundred cuts at random offsets, clean and abrupt, leave every stream whole",
  seeded(async (random) => {
    const uploads = Array.from(
      { length: 10 },
      async () => await uploadWithCuts(new Random(random.u32()), 10),
    );
    await Promise.all(uploads);
  }),
);

test("everything sent before a clean Close is kept, and the upload resumes from there", async () => {
  using first = await openPeer();
  const id = freshId("clean");
  const audio = new Random(1).bytes(500_000);
  await first.start(id);
  await sendAndCut(first, audio, 0, 300_000, "close");
  using second = await openPeer();
  expect(await second.resume(id)).toBe(300_000);
  await second.sendAudio(audio.subarray(300_000));
  expect((await second.stop(id)).sha256).toBe(sha256(audio));
});

test("a resumed stream can be read by its uploader, from its beginning to the last byte sent", async () => {
  using first = await openPeer();
  const id = freshId("resumed-live");
  const audio = new Random(10).bytes(300_000);
  await first.start(id);
  await sendAndCut(first, audio, 0, 100_000, "close");
  using second = await openPeer();
  expect(await second.resume(id)).toBe(100_000);
  expect((await second.read(id, 0, 300_000)).equals(audio.subarray(0, 100_000))).toBe(true);
  for (let from = 100_000; from < audio.length; from += 40_000) {
    const to = from + 40_000;
    await second.sendAudio(audio.subarray(from, to));
    expect((await second.read(id, 0, 300_000)).equals(audio.subarray(0, to))).toBe(true);
  }
  expect((await second.stop(id)).sha256).toBe(sha256(audio));
});

test("a resume of an unknown id starts it at 0", async () => {
  using peer = await openPeer();
  const id = freshId("unknown");
  const started = await peer.start(id, { resume: true });
  expect(started).toMatchObject({ offset: 0, resumable: true });
  expect(started.text).toStartWith(`{"type":"STARTED","streamId":"${id}","message":"`);
  peer.socket.binary(Buffer.from("audio"));
  expect((await peer.stop(id)).size).toBe(5);
});

test("a resume of an id that is not allowed is rejected", async () => {
  using peer = await openPeer();
  peer.send({ type: "START", streamId: "a/b", resume: true });
  await peer.expectError("Failed to create stream: a/b");
});

test("resume false is like no resume: an id in use is rejected", async () => {
  using peer = await openPeer();
  const id = freshId("false");
  await peer.upload(id, Buffer.from("audio"));
  peer.send({ type: "START", streamId: id, resume: false });
  await peer.expectError(`Failed to create stream: ${id}`);
});

test("START without resume of an interrupted stream is rejected, and its bytes stay", async () => {
  using first = await openPeer();
  const id = freshId("abandoned");
  await first.start(id);
  await sendAndCut(first, Buffer.from("0123456789"), 0, 10, "close");
  using second = await openPeer();
  second.send({ type: "START", streamId: id });
  await second.expectError(`Failed to create stream: ${id}`);
  expect(await second.resume(id)).toBe(10);
});

test("a resume of a finished stream returns its size, and its STOP repeats the acknowledgement", async () => {
  using first = await openPeer();
  const id = freshId("finished");
  const audio = new Random(2).bytes(123_456);
  const before = await first.upload(id, audio);
  using second = await openPeer();
  for (let repeat = 0; repeat < 2; repeat++) {
    expect(await second.resume(id)).toBe(audio.length);
    const again = await second.stop(id);
    expect(again).toMatchObject({ size: before.size, sha256: before.sha256 });
  }
});

test("a finished stream never changes, also when audio is sent to it after a resume", async () => {
  using peer = await openPeer();
  const id = freshId("immutable");
  const audio = new Random(3).bytes(50_000);
  await peer.upload(id, audio);
  await peer.resume(id);
  peer.socket.binary(Buffer.from("more"));
  await peer.expectError(/./);
  using other = await openPeer();
  expect(sha256(await other.download(id, audio.length))).toBe(sha256(audio));
  expect(await streamInfo(server.httpBase, id)).toMatchObject({ size: 50_000, sha256: sha256(audio) });
});

test("a resume takes over a stream in use: the old connection gets an ERROR and can write no more", async () => {
  using old = await openPeer();
  using taker = await openPeer();
  const id = freshId("taken");
  const audio = new Random(4).bytes(400_000);
  await old.start(id);
  await old.sendAudio(audio.subarray(0, 200_000), 8 * KiB);
  await old.untilReceived(id, 200_000);
  expect(await taker.resume(id)).toBe(200_000);
  await old.expectError(/another connection/);
  old.socket.binary(Buffer.from("no longer mine"));
  old.send({ type: "STOP", streamId: id });
  await old.expectErrorsUntil(`Failed to finalize stream: ${id}`);
  await taker.sendAudio(audio.subarray(200_000), 8 * KiB);
  expect((await taker.stop(id)).sha256).toBe(sha256(audio));
  expect((await old.upload(freshId("after-taken"), audio)).sha256).toBe(sha256(audio));
});

test("a takeover amid a flood of audio leaves one clean prefix", async () => {
  const audio = new Random(5).bytes(8 * MiB);
  for (let round = 0; round < 5; round++) {
    using old = await openPeer();
    using taker = await openPeer();
    const id = freshId("flood");
    await old.start(id);
    const takeOver = async (): Promise<number> => {
      await taker.start(freshId("unrelated"));
      return await taker.resume(id);
    };
    const [offset] = await Promise.all([takeOver(), old.sendAudio(audio, 8 * KiB)]);
    await taker.sendAudio(audio.subarray(offset));
    expect((await taker.stop(id)).sha256).toBe(sha256(audio));
  }
});

test("a connection cut right after STOP leaves a stream that a resume finds, finished or not", async () => {
  const audio = new Random(8).bytes(300_000);
  for (let round = 0; round < 20; round++) {
    using first = await openPeer();
    const id = freshId("stopped-and-cut");
    await first.start(id);
    await first.sendAudio(audio);
    first.send({ type: "STOP", streamId: id });
    await first.socket.flush();
    if (round % 2 === 0) first.socket.reset();
    else first.socket.end();
    using second = await openPeer();
    const offset = await second.resume(id);
    expect(offset).toBeLessThanOrEqual(audio.length);
    if (offset < audio.length) await second.sendAudio(audio.subarray(offset));
    expect((await second.stop(id)).sha256).toBe(sha256(audio));
  }
});

test("ten connections that resume one stream at once leave it whole for the one that continues", async () => {
  const audio = new Random(9).bytes(200_000);
  const id = freshId("rush");
  using first = await openPeer();
  await first.start(id);
  await first.sendAudio(audio.subarray(0, 100_000));
  await first.untilReceived(id, 100_000);
  const rush = Array.from({ length: 10 }, async () => {
    const peer = await openPeer();
    peer.send({ type: "START", streamId: id, resume: true });
    const reply = controlOf(await peer.next());
    if (reply?.type === "STARTED") expect(reply.offset).toBe(100_000);
    else expect(reply?.message).toStartWith(`Failed to create stream: ${id} (`);
    return peer;
  });
  const peers = await Promise.all(rush);
  using last = await openPeer();
  expect(await last.resume(id)).toBe(100_000);
  for (const peer of peers) peer.socket.binary(Buffer.from("no longer mine"));
  await last.sendAudio(audio.subarray(100_000));
  expect((await last.stop(id)).sha256).toBe(sha256(audio));
  for (const peer of peers) peer[Symbol.dispose]();
});

test("after kill -9 an upload resumes from the kept bytes, and the digest is right", async () => {
  await using server = await TestServer.start();
  const audio = new Random(6).bytes(3 * MiB);
  const id = freshId("killed");
  using first = await openPeer(server);
  await first.start(id);
  await first.sendAudio(audio.subarray(0, 2 * MiB), 8 * KiB);
  await first.untilReceived(id, 2 * MiB);
  await server.kill9();
  await server.restart();
  expect((await listStreams(server.httpBase)).map((stream) => stream.state)).toEqual(["unfinished"]);
  using second = await openPeer(server);
  const offset = await second.resume(id);
  expect(offset).toBeGreaterThan(0);
  expect(offset).toBeLessThanOrEqual(2 * MiB);
  await second.sendAudio(audio.subarray(offset));
  expect((await second.stop(id)).sha256).toBe(sha256(audio));
  expect(sha256(await second.download(id, audio.length))).toBe(sha256(audio));
});

test("an interrupted upload expires after its time, an upload in progress does not", async () => {
  await using server = await TestServer.start({ flags: { "incomplete-ttl": 1 } });
  using held = await openPeer(server);
  await held.start("held");
  held.socket.binary(Buffer.from("held audio"));
  using left = await openPeer(server);
  await left.start("left");
  left.socket.binary(Buffer.from("left audio"));
  await left.close();
  expect(await streamInfo(server.httpBase, "left")).toBeDefined();
  const gone = async (): Promise<boolean> => (await streamInfo(server.httpBase, "left")) === undefined;
  await until("the expiry", 15_000, gone);
  await until("its file to go", 5_000, async () => (await incomingFiles(server.cacheDir)).length <= 1);
  expect((await held.stop("held")).size).toBe(10);
  using again = await openPeer(server);
  expect(await again.resume("left")).toBe(0);
});

test("an upload that expired while the server was down is gone at the next start", async () => {
  await using server = await TestServer.start();
  using peer = await openPeer(server);
  await peer.start("left");
  peer.socket.binary(Buffer.from("left audio"));
  await peer.close();
  await server.stop();
  await server.restart({ flags: { "incomplete-ttl": 1 } });
  const gone = async (): Promise<boolean> => (await streamInfo(server.httpBase, "left")) === undefined;
  await until("the expiry", 15_000, gone);
  expect(await debrisIn(server.cacheDir, server.httpBase)).toEqual([]);
});
