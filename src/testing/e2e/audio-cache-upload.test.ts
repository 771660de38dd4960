import { afterAll, beforeAll, expect, test } from "bun:test";
import { AudioCachePeer, freshId } from "../harness/peers/audio-cache.ts";
import { Random, seeded, sha256 } from "../harness/bytes.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { describeFrame, encodeFrame, opcodes } from "../harness/peers/websocket-frames.ts";

useServers();

const KiB = 1024;
const MiB = 1024 * KiB;
const emptySha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

let server: TestServer;

beforeAll(async () => {
  server = await TestServer.start({ flags: { "max-message-bytes": "16MiB", "max-connections": 64 } });
});

afterAll(async () => {
  await server.dispose();
});

async function openPeer(): Promise<AudioCachePeer> {
  return await AudioCachePeer.open(server.url);
}

/** Checks STOPPED and the stored audio against what was sent. */
async function expectStored(peer: AudioCachePeer, id: string, audio: Uint8Array): Promise<void> {
  const whole = await peer.download(id, audio.length, MiB);
  expect(sha256(whole)).toBe(sha256(audio));
}

test("a frame of more than --max-message-bytes closes the connection with 1009, and the stream can be resumed", async () => {
  await using small = await TestServer.start();
  using peer = await AudioCachePeer.open(small.url);
  await peer.start("x");
  peer.socket.binary(new Uint8Array(MiB));
  await peer.untilReceived("x", MiB);
  peer.socket.binary(new Uint8Array(MiB + 1));
  expect(describeFrame(await peer.next())).toStartWith("close 1009");
  using second = await AudioCachePeer.open(small.url);
  expect(await second.resume("x")).toBe(MiB);
});

for (const frameBytes of [1, 125, 126, 127, 8 * KiB, 65535, 64 * KiB, MiB, 16 * MiB]) {
  test(`audio in frames of ${frameBytes} bytes is stored unchanged, and no frame is acknowledged`, async () => {
    using peer = await openPeer();
    const audio = new Random(frameBytes).bytes(Math.min(frameBytes * 33 + 7, 16 * MiB));
    const id = freshId("frames");
    await peer.start(id);
    await peer.sendAudio(audio, frameBytes);
    await peer.expectQuiet();
    const stopped = await peer.stop(id);
    expect(stopped.size).toBe(audio.length);
    expect(stopped.sha256).toBe(sha256(audio));
    await expectStored(peer, id, audio);
  });
}

test(
  "frames of random sizes, empty ones among them, make one stream",
  seeded(async (random) => {
    using peer = await openPeer();
    const audio = random.bytes(random.int(1, 3 * MiB));
    const id = freshId("mixed");
    await peer.start(id);
    for (const piece of random.pieces(audio, random.pick([10_000, 100_000]))) {
      peer.socket.binary(piece);
      if (random.chance(10)) peer.socket.binary(new Uint8Array(0));
    }
    expect((await peer.stop(id)).sha256).toBe(sha256(audio));
    await expectStored(peer, id, audio);
  }),
);

test("a frame larger than any allowed ends the connection with 1009, and the server keeps working", async () => {
  using peer = await openPeer();
  await peer.start(freshId("huge"));
  const header = encodeFrame({
    opcode: opcodes.binary,
    payload: new Uint8Array(65536),
    mask: new Uint8Array(4),
  });
  // Announce a length of 17 MiB; the payload need not follow.
  header.writeBigUInt64BE(BigInt(17 * MiB), 2);
  peer.socket.write(header);
  expect(describeFrame(await peer.next())).toStartWith("close 1009");
  await peer.socket.ended;
  using next = await openPeer();
  await next.upload(freshId("after"), Buffer.from("audio"));
});

test("audio sent right after START, without waiting for STARTED, belongs to the stream", async () => {
  using peer = await openPeer();
  const audio = new Random(1).bytes(300_000);
  const id = freshId("eager");
  peer.send({ type: "START", streamId: id });
  await peer.sendAudio(audio, 8 * KiB);
  peer.send({ type: "STOP", streamId: id });
  await peer.expectControl("STARTED", id);
  expect((await peer.expectControl("STOPPED", id)).sha256).toBe(sha256(audio));
});

test("a whole exchange written to the socket at once is answered in order", async () => {
  using peer = await openPeer();
  const id = freshId("one-write");
  const mask = Buffer.from([1, 2, 3, 4]);
  const text = (fields: Record<string, unknown>): Buffer =>
    encodeFrame({ opcode: opcodes.text, payload: Buffer.from(JSON.stringify(fields)), mask });
  const binary = (audio: string): Buffer =>
    encodeFrame({ opcode: opcodes.binary, payload: Buffer.from(audio), mask });
  peer.socket.write(
    Buffer.concat([
      text({ type: "START", streamId: id }),
      binary("first "),
      binary("second"),
      text({ type: "STOP" }),
      text({ type: "GET", streamId: id }),
      text({ type: "FOO" }),
      text({ type: "GET", streamId: id, offset: 6, length: 3 }),
      text({ type: "START", streamId: `${id}-b` }),
      text({ type: "STOP", streamId: `${id}-b` }),
    ]),
  );
  await peer.expectControl("STARTED", id);
  await peer.expectControl("STOPPED", id);
  expect((await peer.expectBinary()).toString()).toBe("first second");
  await peer.expectError("Unknown message type: FOO");
  expect((await peer.expectBinary()).toString()).toBe("sec");
  await peer.expectControl("STARTED", `${id}-b`);
  await peer.expectControl("STOPPED", `${id}-b`);
  await peer.expectQuiet();
});

test("frames that arrive byte by byte are understood", async () => {
  using peer = await openPeer();
  const id = freshId("bytewise");
  const start = encodeFrame({
    opcode: opcodes.text,
    payload: Buffer.from(JSON.stringify({ type: "START", streamId: id })),
    mask: Buffer.from([9, 8, 7, 6]),
  });
  for (const byte of start) {
    peer.socket.write(Buffer.from([byte]));
    await peer.socket.flush();
  }
  await peer.expectControl("STARTED", id);
  expect((await peer.stop(id)).size).toBe(0);
});

test("a fragmented binary message is the same audio, even with empty fragments and pings between them", async () => {
  using peer = await openPeer();
  const id = freshId("fragments");
  const audio = new Random(2).bytes(200_000);
  await peer.start(id);
  const pieces = [
    audio.subarray(0, 1),
    audio.subarray(1, 1),
    audio.subarray(1, 70_000),
    audio.subarray(70_000),
  ];
  for (const [index, payload] of pieces.entries()) {
    const opcode = index === 0 ? opcodes.binary : opcodes.continuation;
    peer.socket.frame({ opcode, payload, fin: index === pieces.length - 1 });
    await peer.expectQuiet();
  }
  expect((await peer.stop(id)).sha256).toBe(sha256(audio));
  await expectStored(peer, id, audio);
});

test("a fragmented control message is understood", async () => {
  using peer = await openPeer();
  const id = freshId("fragmented-text");
  const text = Buffer.from(JSON.stringify({ type: "START", streamId: id }));
  peer.socket.frame({ opcode: opcodes.text, payload: text.subarray(0, 9), fin: false });
  peer.socket.frame({ opcode: opcodes.continuation, payload: text.subarray(9) });
  await peer.expectControl("STARTED", id);
});

test("a stream of zero bytes is valid, with and without an empty frame", async () => {
  using peer = await openPeer();
  for (const emptyFrames of [0, 1]) {
    const id = freshId("empty");
    await peer.start(id);
    for (let frame = 0; frame < emptyFrames; frame++) peer.socket.binary(new Uint8Array(0));
    const stopped = await peer.stop(id);
    expect(stopped.size).toBe(0);
    expect(stopped.sha256).toBe(emptySha256);
  }
});

test("successive streams on one connection stay separate", async () => {
  using peer = await openPeer();
  const streams = [0, 1, 5, 100_000, 3].map((size) => ({
    id: freshId("row"),
    audio: new Random(size).bytes(size),
  }));
  for (const { id, audio } of streams) {
    expect((await peer.upload(id, audio, 8 * KiB)).sha256).toBe(sha256(audio));
  }
  for (const { id, audio } of streams) await expectStored(peer, id, audio);
});

test("START of the next stream right after STOP, without waiting for STOPPED, starts it", async () => {
  using peer = await openPeer();
  const streams = Array.from({ length: 20 }, (_, index) => ({
    id: freshId("behind"),
    audio: new Random(index).bytes(20_000 + index),
  }));
  for (const { id, audio } of streams) {
    peer.send({ type: "START", streamId: id });
    await peer.sendAudio(audio, 8 * KiB);
    peer.send({ type: "STOP", streamId: id });
  }
  for (const { id, audio } of streams) {
    await peer.expectControl("STARTED", id);
    expect((await peer.expectControl("STOPPED", id)).sha256).toBe(sha256(audio));
  }
});

test("START of the same id right after its STOP is rejected", async () => {
  using peer = await openPeer();
  const id = freshId("again");
  await peer.start(id);
  peer.send({ type: "STOP", streamId: id });
  peer.send({ type: "START", streamId: id });
  await peer.expectControl("STOPPED", id);
  await peer.expectError(`Failed to create stream: ${id}`);
});

test("a START while another stream is open makes the new one current, and both can be finished", async () => {
  using peer = await openPeer();
  const first = freshId("open-a");
  const second = freshId("open-b");
  await peer.start(first);
  peer.socket.binary(Buffer.from("of the first"));
  await peer.start(second);
  peer.socket.binary(Buffer.from("of the second"));
  expect((await peer.stop(first)).sha256).toBe(sha256(Buffer.from("of the first")));
  expect((await peer.stop(second)).sha256).toBe(sha256(Buffer.from("of the second")));
});

test("the number of unfinished streams per connection is limited", async () => {
  using peer = await openPeer();
  const opened: string[] = [];
  for (let index = 0; index < 200; index++) {
    const id = freshId("held");
    peer.send({ type: "START", streamId: id });
    const frame = await peer.next();
    if (describeFrame(frame).includes("Failed to create stream")) break;
    opened.push(id);
  }
  expect(opened.length).toBeGreaterThanOrEqual(4);
  expect(opened.length).toBeLessThan(200);
  for (const id of opened) await peer.stop(id);
  await peer.upload(freshId("after"), Buffer.from("audio"));
});

test("ten connections upload at once and each gets its own digest", async () => {
  const uploads = Array.from({ length: 10 }, async (_, index) => {
    using peer = await openPeer();
    const audio = new Random(index + 1).bytes(MiB + index);
    expect((await peer.upload(freshId("at-once"), audio, 8 * KiB)).sha256).toBe(sha256(audio));
  });
  await Promise.all(uploads);
});
