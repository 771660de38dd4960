/** The limits that a user can set, and broken or hostile peers: neither affects other connections. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { AudioCachePeer, controlOf, freshId } from "../harness/peers/audio-cache.ts";
import { Random, seeded, sha256 } from "../harness/bytes.ts";
import { debrisIn, storedObjects } from "../harness/cache-folder.ts";
import { RawWebSocket } from "../harness/peers/raw-websocket.ts";
import { runServerToExit, TestServer, useServers } from "../harness/server.ts";
import { removeStream, streamInfo } from "../harness/http/streams.ts";
import { until, within } from "../harness/until.ts";
import { describeFrame, encodeFrame, opcodes, type FrameToSend } from "../harness/peers/websocket-frames.ts";

useServers();

const KiB = 1024;
const MiB = 1024 * KiB;

let shared: TestServer;

beforeAll(async () => {
  shared = await TestServer.start();
});

afterAll(async () => {
  await shared.dispose();
});

/** Uploads until STOPPED or the first ERROR; returns the ERROR's message, or undefined. */
async function tryUpload(server: TestServer, id: string, audio: Uint8Array): Promise<string | undefined> {
  using peer = await AudioCachePeer.open(server.url);
  peer.send({ type: "START", streamId: id });
  const started = controlOf(await peer.next());
  if (started?.type !== "STARTED") return started?.message ?? "no control message";
  await peer.sendAudio(audio, 8 * KiB);
  peer.send({ type: "STOP", streamId: id });
  const frame = await peer.next();
  const reply = controlOf(frame);
  if (reply?.type === "STOPPED") return undefined;
  if (reply?.type !== "ERROR") throw new Error(`expected STOPPED or ERROR, received ${describeFrame(frame)}`);
  return reply.message;
}

test("a stream may be as large as --max-stream-bytes and no byte larger", async () => {
  await using server = await TestServer.start({ flags: { "max-stream-bytes": MiB } });
  const audio = new Random(1).bytes(MiB + 1);
  expect(await tryUpload(server, "exact", audio.subarray(0, MiB))).toBeUndefined();
  expect(await tryUpload(server, "over", audio)).toMatch(/larger than allowed/);
  expect((await streamInfo(server.httpBase, "over"))?.state).not.toBe("finished");
  expect(await tryUpload(server, "next", audio.subarray(1))).toBeUndefined();
  using peer = await AudioCachePeer.open(server.url);
  expect(sha256(await peer.download("exact", MiB))).toBe(sha256(audio.subarray(0, MiB)));
});

test("a resume cannot take a stream past --max-stream-bytes", async () => {
  await using server = await TestServer.start({ flags: { "max-stream-bytes": 1000 } });
  using first = await AudioCachePeer.open(server.url);
  await first.start("x");
  first.socket.binary(new Uint8Array(900));
  await first.close();
  using second = await AudioCachePeer.open(server.url);
  expect(await second.resume("x")).toBe(900);
  second.socket.binary(new Uint8Array(101));
  await second.expectError(/larger than allowed/);
  expect(await second.resume("x")).toBe(900);
  second.socket.binary(new Uint8Array(100));
  expect((await second.stop("x")).size).toBe(1000);
});

test("a full cache rejects uploads, evicts nothing, and accepts uploads again after a removal", async () => {
  await using server = await TestServer.start({ flags: { "max-cache-bytes": 4 * MiB } });
  const first = new Random(2).bytes(3 * MiB);
  const second = new Random(3).bytes(2 * MiB);
  expect(await tryUpload(server, "first", first)).toBeUndefined();
  expect(await tryUpload(server, "second", second)).toMatch(/cache is full/);
  using peer = await AudioCachePeer.open(server.url);
  expect(sha256(await peer.download("first", first.length))).toBe(sha256(first));
  expect((await streamInfo(server.httpBase, "second"))?.state).not.toBe("finished");
  expect(await removeStream(server.httpBase, "first")).toBe(204);
  const offset = await peer.resume("second");
  await peer.sendAudio(second.subarray(offset));
  expect((await peer.stop("second")).sha256).toBe(sha256(second));
});

test("the bytes in the cache are counted again after a restart", async () => {
  await using server = await TestServer.start({ flags: { "max-cache-bytes": 4 * MiB } });
  expect(await tryUpload(server, "first", new Random(4).bytes(3 * MiB))).toBeUndefined();
  await server.restart();
  expect(await tryUpload(server, "second", new Random(5).bytes(100 * KiB))).toBeUndefined();
  expect(await tryUpload(server, "third", new Random(6).bytes(2 * MiB))).toMatch(/cache is full/);
});

test("a stream with the audio of another stream takes no space in the cache", async () => {
  await using server = await TestServer.start({ flags: { "max-cache-bytes": 5 * MiB } });
  const audio = new Random(7).bytes(2 * MiB);
  for (const id of ["a", "b", "c", "d"]) expect(await tryUpload(server, id, audio), id).toBeUndefined();
});

test("cuts, resumes, rejections, duplicates and removals leave the cache's byte count right", async () => {
  const room = 2 * MiB;
  await using server = await TestServer.start({
    flags: { "max-cache-bytes": room, "max-stream-bytes": room },
  });
  const audio = new Random(9).bytes(room + 1);
  for (let round = 0; round < 20; round++) {
    using cut = await AudioCachePeer.open(server.url);
    await cut.start("cut");
    await cut.sendAudio(audio.subarray(0, 100_000), 8 * KiB);
    if (round % 2 === 0) await cut.close();
    else cut.socket.reset();
    using peer = await AudioCachePeer.open(server.url);
    const offset = await peer.resume("cut");
    await peer.sendAudio(audio.subarray(offset, 150_000));
    await peer.stop("cut");
    await peer.upload("double", audio.subarray(0, 150_000));
    expect(await tryUpload(server, "double", audio)).toMatch(/in use/);
    expect(await tryUpload(server, `over-${round}`, audio)).toMatch(/larger than allowed|cache is full/);
    expect(await removeStream(server.httpBase, "cut")).toBe(204);
    expect(await removeStream(server.httpBase, "double")).toBe(204);
    await until("the refused one to be removed", 5_000, async () => {
      const status = await removeStream(server.httpBase, `over-${round}`);
      return status === 204 || status === 404;
    });
  }
  expect(await tryUpload(server, "one-byte", audio.subarray(0, 1))).toBeUndefined();
  expect(await removeStream(server.httpBase, "one-byte")).toBe(204);
  expect(await tryUpload(server, "all", audio.subarray(0, room))).toBeUndefined();
  expect(await tryUpload(server, "more", audio.subarray(0, 1))).toMatch(/cache is full/);
});

test("the same content is stored once, even if it is uploaded concurrently", async () => {
  const audio = new Random(8).bytes(300_000);
  const ids = Array.from({ length: 8 }, () => freshId("same"));
  const before = (await storedObjects(shared.cacheDir)).length;
  await Promise.all(
    ids.map(async (id) => {
      using peer = await AudioCachePeer.open(shared.url);
      await peer.upload(id, audio, 8 * KiB);
    }),
  );
  const objects = await storedObjects(shared.cacheDir);
  expect(objects.length).toBe(before + 1);
  const digest = sha256(audio);
  expect(objects).toContainEqual({ path: `${digest.slice(0, 2)}/${digest}`, size: audio.length });
  using peer = await AudioCachePeer.open(shared.url);
  for (const id of ids) expect(sha256(await peer.download(id, audio.length))).toBe(digest);
});

test("a connection past --max-connections is rejected clearly, and fits once another has closed", async () => {
  await using server = await TestServer.start({ flags: { "max-connections": 3 } });
  const peers = [];
  for (let index = 0; index < 3; index++) {
    const peer = await AudioCachePeer.open(server.url);
    // A connection that has sent nothing would make room.
    await peer.start(`stream-${index}`);
    peers.push(peer);
  }
  using refused = await RawWebSocket.open(server.url);
  if (refused.response.status === 101) expect(describeFrame(await refused.next())).toStartWith("close 1013");
  else expect(refused.response.status).toBe(503);
  await peers[0]!.upload("x", Buffer.from("audio"));
  await peers[1]!.close();
  await until("room for one more connection", 5_000, async () => {
    using socket = await RawWebSocket.open(server.url);
    if (socket.response.status !== 101) return false;
    socket.ping(Buffer.from("x"));
    return (await socket.next()).opcode === opcodes.pong;
  });
  for (const peer of peers) peer[Symbol.dispose]();
});

test("a second server on the same cache folder refuses to start, and the first keeps working", async () => {
  await using server = await TestServer.start();
  using peer = await AudioCachePeer.open(server.url);
  await peer.start("x");
  const second = await runServerToExit(["--port", "0", "--cache-dir", server.cacheDir]);
  expect(second.code).not.toBe(0);
  expect(second.stderr.trim().split("\n").length, second.stderr).toBe(1);
  expect(second.stderr).toContain(server.cacheDir);
  expect(second.stdout).not.toMatch(/\bready\b/);
  peer.socket.binary(Buffer.from("audio"));
  expect((await peer.stop("x")).size).toBe(5);
});

test("the folder of a killed server is free for the next server", async () => {
  await using server = await TestServer.start();
  for (let round = 0; round < 3; round++) {
    await server.kill9();
    await server.restart();
  }
  using peer = await AudioCachePeer.open(server.url);
  await peer.upload("x", Buffer.from("audio"));
});

const brokenFrames: [string, FrameToSend][] = [
  ["unmasked", { opcode: opcodes.binary, payload: Buffer.from("x"), mask: undefined }],
  ["with a reserved bit", { opcode: opcodes.binary, payload: Buffer.from("x"), rsv: 4 }],
  ["of an unknown data opcode", { opcode: 3, payload: Buffer.from("x") }],
  ["of an unknown control opcode", { opcode: 11, payload: Buffer.from("x") }],
  ["that continue no message", { opcode: opcodes.continuation, payload: Buffer.from("x") }],
  ["of a ping longer than 125 bytes", { opcode: opcodes.ping, payload: Buffer.alloc(200) }],
  ["of a fragmented ping", { opcode: opcodes.ping, payload: Buffer.from("x"), fin: false }],
  ["of a Close with half a code", { opcode: opcodes.close, payload: Buffer.from([3]) }],
  ["of text that is no UTF-8", { opcode: opcodes.text, payload: Buffer.from([0xc3, 0x28, 0xff]) }],
];

for (const [what, frame] of brokenFrames) {
  test(`frames ${what} affect neither the server nor other connections`, async () => {
    using bystander = await AudioCachePeer.open(shared.url);
    const id = freshId("bystander");
    await bystander.start(id);
    using broken = await RawWebSocket.open(shared.url);
    broken.frame(frame);
    broken.close(1000);
    await within("the broken connection to end", 5_000, broken.ended, () => broken.describe());
    bystander.socket.binary(Buffer.from("audio"));
    expect((await bystander.stop(id)).size).toBe(5);
  });
}

test(
  "random bytes instead of frames, a hundred times, do not end the server",
  seeded(async (random) => {
    for (let round = 0; round < 100; round++) {
      using broken = await RawWebSocket.open(shared.url);
      broken.write(random.bytes(random.int(1, 3000)));
      await broken.flush();
      if (random.chance(50)) broken.reset();
    }
    using peer = await AudioCachePeer.open(shared.url);
    await peer.upload(freshId("after-garbage"), Buffer.from("audio"));
    expect(shared.isRunning).toBe(true);
  }),
);

test("a hundred connections that end amid a frame leave resumable streams and no orphans", async () => {
  const ids = Array.from({ length: 100 }, () => freshId("half"));
  await Promise.all(
    ids.map(async (id) => {
      using peer = await AudioCachePeer.open(shared.url);
      await peer.start(id);
      peer.socket.binary(Buffer.from("whole"));
      await peer.untilReceived(id, 5);
      const half = encodeFrame({ opcode: opcodes.binary, payload: Buffer.alloc(99), mask: Buffer.alloc(4) });
      peer.socket.write(half.subarray(0, 50));
      await peer.socket.flush();
      peer.socket.reset();
    }),
  );
  using peer = await AudioCachePeer.open(shared.url);
  for (const id of ids) {
    expect(await peer.resume(id), id).toBe(5);
    await peer.stop(id);
  }
  expect(await debrisIn(shared.cacheDir, shared.httpBase)).toEqual([]);
});

test("a handshake of garbage, or none at all, does not affect the server", async () => {
  for (const headers of [
    { "Sec-WebSocket-Key": undefined },
    { "Sec-WebSocket-Version": "99" },
    { Upgrade: "tea" },
    { "X-Long": "x".repeat(5000) },
  ]) {
    using socket = await RawWebSocket.open(shared.url, { headers });
    expect(socket.response.status).toBeGreaterThan(100);
  }
  using peer = await AudioCachePeer.open(shared.url);
  await peer.expectQuiet();
});

test("empty uploads are refused above --max-unfinished-streams, and interrupted ones can still be resumed", async () => {
  await using server = await TestServer.start({ flags: { "max-unfinished-streams": 20 } });
  using first = await AudioCachePeer.open(server.url);
  using second = await AudioCachePeer.open(server.url);
  for (let index = 0; index < 40; index++) {
    const peer = index < 16 ? first : second;
    peer.send({ type: "START", streamId: `empty-${index}` });
    const answer = controlOf(await peer.next());
    expect(answer?.type, `upload ${index}`).toBe(index < 20 ? "STARTED" : "ERROR");
    if (index >= 20) expect(answer?.message).toMatch(/too many unfinished streams/);
  }
  await second.close();
  using third = await AudioCachePeer.open(server.url);
  expect(await third.resume("empty-19")).toBe(0);
  third.send({ type: "START", streamId: "new", resume: true });
  expect(controlOf(await third.next())?.message).toMatch(/too many unfinished streams/);
  await third.stop("empty-19");
  await third.upload("now-there-is-room", Buffer.from("audio"));
});

test("starts that are pipelined cannot pass --max-unfinished-streams", async () => {
  await using server = await TestServer.start({ flags: { "max-unfinished-streams": 5 } });
  using peer = await AudioCachePeer.open(server.url);
  for (let index = 0; index < 12; index++) peer.send({ type: "START", streamId: `s-${index}` });
  const types = [];
  for (let index = 0; index < 12; index++) types.push(controlOf(await peer.next())?.type);
  expect(types).toEqual([...Array<string>(5).fill("STARTED"), ...Array<string>(7).fill("ERROR")]);
});

test("the cache is full with --max-streams streams, or with as many as its bytes have room for", async () => {
  for (const [flag, value] of Object.entries({ "max-streams": 3, "max-cache-bytes": 3 * 4 * KiB })) {
    await using server = await TestServer.start({ flags: { [flag]: value } });
    for (let index = 0; index < 3; index++)
      expect(await tryUpload(server, `small-${index}`, Buffer.from("audio"))).toBeUndefined();
    expect(await tryUpload(server, "one-more", Buffer.from("audio"))).toMatch(/cache is full/);
    expect(await removeStream(server.httpBase, "small-1")).toBe(204);
    expect(await tryUpload(server, "one-more", Buffer.from("audio"))).toBeUndefined();
  }
});
