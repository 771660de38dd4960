import { afterAll, beforeAll, expect, test } from "bun:test";
import { AudioCachePeer, freshId } from "../harness/peers/audio-cache.ts";
import { Random, seeded, sha256 } from "../harness/bytes.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { describeFrame, opcodes } from "../harness/peers/websocket-frames.ts";

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

async function openPeer(): Promise<AudioCachePeer> {
  return await AudioCachePeer.open(server.url);
}

/** A finished stream with this audio. */
async function finishedStream(subject: string, audio: Uint8Array): Promise<string> {
  using peer = await openPeer();
  const id = freshId(subject);
  await peer.upload(id, audio, MiB);
  return id;
}

function equal(answer: Buffer, audio: Uint8Array, from: number, to: number): boolean {
  return answer.equals(audio.subarray(from, to));
}

const answerSizes = [1, 125, 126, 127, 8 * KiB, 65535, 65536, 65537, MiB, 5 * MiB, 16 * MiB];

for (const length of answerSizes) {
  test(`GET of ${length} bytes is answered with exactly that many in one unfragmented frame`, async () => {
    const audio = new Random(length).bytes(length + 10);
    const id = await finishedStream("exact", audio);
    using peer = await openPeer();
    const answer = await peer.read(id, 3, length);
    expect(answer.length).toBe(length);
    expect(equal(answer, audio, 3, 3 + length)).toBe(true);
    await peer.expectQuiet();
  });
}

test("GET without offset starts at 0, without length asks for 65536, and null is like absent", async () => {
  const audio = new Random(1).bytes(200_000);
  const id = await finishedStream("defaults", audio);
  using peer = await openPeer();
  const requests: [Record<string, unknown>, number, number][] = [
    [{}, 0, 65536],
    [{ offset: null, length: null }, 0, 65536],
    [{ offset: 100_000 }, 100_000, 165_536],
    [{ length: 10 }, 0, 10],
    [{ offset: 150_000 }, 150_000, 200_000],
  ];
  for (const [fields, from, to] of requests) {
    peer.send({ type: "GET", streamId: id, ...fields });
    const answer = await peer.expectBinary();
    expect(answer.length, JSON.stringify(fields)).toBe(to - from);
    expect(equal(answer, audio, from, to)).toBe(true);
  }
});

test("GET past the end returns the bytes up to the end, whatever length was requested", async () => {
  const audio = new Random(2).bytes(1000);
  const id = await finishedStream("tail", audio);
  using peer = await openPeer();
  for (const length of [1000, 1001, 65536, 2 ** 31 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
    expect((await peer.read(id, 0, length)).length, `length ${length}`).toBe(1000);
    expect((await peer.read(id, 999, length)).length, `length ${length}`).toBe(1);
  }
});

test("GET of length 0 returns an empty frame, and does not count as the end", async () => {
  const id = await finishedStream("nothing", Buffer.from("audio"));
  using peer = await openPeer();
  expect((await peer.read(id, 0, 0)).length).toBe(0);
  expect((await peer.read(id, 0, 0)).length).toBe(0);
  expect((await peer.read(id, 2, 10)).toString()).toBe("dio");
});

test("a GET larger than any allowed answer is an ERROR, never a short answer", async () => {
  const audio = new Random(3).bytes(20 * MiB);
  const id = await finishedStream("too-large", audio);
  using peer = await openPeer();
  peer.get(id, 0, 20 * MiB);
  const frame = await peer.next();
  if (frame.opcode === opcodes.binary) expect(frame.payload.length).toBe(20 * MiB);
  else expect(describeFrame(frame)).toContain(`Failed to read from stream: ${id}`);
  expect(equal(await peer.read(id, 19 * MiB, MiB), audio, 19 * MiB, 20 * MiB)).toBe(true);
});

test(
  "pipelined GETs at random ranges are answered in order",
  seeded(async (random) => {
    const audio = random.bytes(2 * MiB);
    const id = await finishedStream("pipelined", audio);
    using peer = await openPeer();
    const ranges = Array.from({ length: 500 }, () => {
      const offset = random.int(0, audio.length - 1);
      return { offset, length: random.int(1, random.pick([10, 5000, 200_000])) };
    });
    for (const { offset, length } of ranges) peer.get(id, offset, length);
    for (const { offset, length } of ranges) {
      const answer = await peer.expectBinary();
      const end = Math.min(offset + length, audio.length);
      if (!equal(answer, audio, offset, end)) throw new Error(`wrong answer to GET ${offset}+${length}`);
    }
    await peer.expectQuiet();
  }),
);

test("five thousand small GETs sent at once are all answered in order", async () => {
  const audio = new Random(4).bytes(5000);
  const id = await finishedStream("many", audio);
  using peer = await openPeer();
  for (let offset = 0; offset < 5000; offset++) peer.get(id, offset, 1);
  for (let offset = 0; offset < 5000; offset++) {
    const answer = await peer.expectBinary();
    if (answer.length !== 1 || answer[0] !== audio[offset]) throw new Error(`wrong answer to GET ${offset}`);
  }
});

test("GETs of several streams, live, finished and unknown, are answered in the order of the requests", async () => {
  const small = await finishedStream("small", Buffer.from("small"));
  const large = await finishedStream("large", new Random(5).bytes(4 * MiB));
  using peer = await openPeer();
  const live = freshId("live");
  await peer.start(live);
  peer.socket.binary(Buffer.from("live audio"));
  for (let round = 0; round < 10; round++) {
    peer.get(large, 0, 4 * MiB);
    peer.get(small, 0, 5);
    peer.get("no-such-stream", 0, 5);
    peer.get(live, 0, 5);
  }
  for (let round = 0; round < 10; round++) {
    expect((await peer.expectBinary()).length).toBe(4 * MiB);
    expect((await peer.expectBinary()).toString()).toBe("small");
    await peer.expectError("Failed to read from stream: no-such-stream");
    expect((await peer.expectBinary()).toString()).toBe("live ");
  }
});

test("GET at the end of a finished stream returns an empty frame once, and then an ERROR", async () => {
  const id = await finishedStream("end", Buffer.from("0123456789"));
  for (let connection = 0; connection < 2; connection++) {
    using peer = await openPeer();
    expect((await peer.read(id, 0, 100)).length).toBe(10);
    expect((await peer.read(id, 10, 100)).length).toBe(0);
    for (let repeat = 0; repeat < 3; repeat++) {
      peer.get(id, 10, 100);
      await peer.expectError("No data available at offset 10");
    }
    expect((await peer.read(id, 5, 100)).toString()).toBe("56789");
  }
});

test("reaching the end of one stream does not affect another stream of the same size", async () => {
  const first = await finishedStream("end-a", Buffer.from("0123456789"));
  const second = await finishedStream("end-b", Buffer.from("abcdefghij"));
  using peer = await openPeer();
  for (const id of [first, second]) expect((await peer.read(id, 10, 100)).length).toBe(0);
  for (const id of [first, second]) {
    peer.get(id, 10, 100);
    await peer.expectError("No data available at offset 10");
  }
});

test("pipelined GETs past the end get an empty frame, then ERRORs", async () => {
  const id = await finishedStream("end-pipelined", Buffer.from("0123456789"));
  using peer = await openPeer();
  for (const offset of [0, 4, 8, 10, 10, 12]) peer.get(id, offset, 4);
  for (const piece of ["0123", "4567", "89", ""]) expect((await peer.expectBinary()).toString()).toBe(piece);
  await peer.expectError("No data available at offset 10");
  await peer.expectError("No data available at offset 12");
});

test("GET beyond the end is an ERROR immediately", async () => {
  const id = await finishedStream("past", Buffer.from("0123456789"));
  using peer = await openPeer();
  for (const offset of [11, 12, 2 ** 40]) {
    peer.get(id, offset, 100);
    await peer.expectError(`No data available at offset ${offset}`);
  }
  expect((await peer.read(id, 10, 100)).length).toBe(0);
});

test("a finished empty stream ends at offset 0 like any other at its end", async () => {
  const id = await finishedStream("empty", new Uint8Array(0));
  using peer = await openPeer();
  expect((await peer.read(id, 0, 100)).length).toBe(0);
  for (const offset of [0, 1]) {
    peer.get(id, offset, 100);
    await peer.expectError(`No data available at offset ${offset}`);
  }
});

test("the uploader's GET of its live stream returns everything it has sent before", async () => {
  using peer = await openPeer();
  const id = freshId("live-own");
  const audio = new Random(6).bytes(2 * MiB);
  await peer.start(id);
  let sent = 0;
  for (const bytes of [1, 99, 8 * KiB, 64 * KiB, 500_000, MiB]) {
    await peer.sendAudio(audio.subarray(sent, sent + bytes), 64 * KiB);
    sent += bytes;
    const answer = await peer.read(id, 0, audio.length);
    expect(answer.length).toBe(sent);
    expect(equal(answer, audio, 0, sent)).toBe(true);
  }
  expect((await peer.stop(id)).sha256).toBe(sha256(audio.subarray(0, sent)));
});

test("GET at the current end of a live stream is an ERROR each time, and audio once there is more", async () => {
  using peer = await openPeer();
  const id = freshId("live-end");
  await peer.start(id);
  for (const offset of [0, 0, 7]) {
    peer.get(id, offset, 100);
    await peer.expectError(`No data available at offset ${offset}`);
  }
  peer.socket.binary(Buffer.from("01234"));
  expect((await peer.read(id, 0, 100)).toString()).toBe("01234");
  for (let repeat = 0; repeat < 2; repeat++) {
    peer.get(id, 5, 100);
    await peer.expectError("No data available at offset 5");
  }
  peer.socket.binary(Buffer.from("56789"));
  expect((await peer.read(id, 5, 100)).toString()).toBe("56789");
  await peer.stop(id);
  expect((await peer.read(id, 10, 100)).length).toBe(0);
});

test("another connection can read a live stream as far as it is written, follow it, and see its end", async () => {
  using writer = await openPeer();
  using reader = await openPeer();
  const id = freshId("live-other");
  const audio = new Random(7).bytes(MiB);
  await writer.start(id);
  for (let at = 0; at < audio.length; at += 256 * KiB) {
    await writer.sendAudio(audio.subarray(at, at + 256 * KiB), 8 * KiB);
    await writer.untilReceived(id, at + 256 * KiB);
    expect(equal(await reader.read(id, at, 256 * KiB), audio, at, at + 256 * KiB)).toBe(true);
  }
  reader.get(id, audio.length, 100);
  await reader.expectError(`No data available at offset ${audio.length}`);
  await writer.stop(id);
  expect(sha256(await reader.download(id, audio.length))).toBe(sha256(audio));
  expect((await reader.read(id, audio.length, 100)).length).toBe(0);
});

test("GET right after STOP, without waiting for STOPPED, reads the whole stream", async () => {
  for (let round = 0; round < 20; round++) {
    using peer = await openPeer();
    const id = freshId("behind-stop");
    const audio = new Random(round).bytes(100_000);
    await peer.start(id);
    await peer.sendAudio(audio, 8 * KiB);
    peer.send({ type: "STOP", streamId: id });
    peer.get(id, 0, 100_000);
    peer.get(id, 100_000, 10);
    expect((await peer.expectControl("STOPPED", id)).sha256).toBe(sha256(audio));
    expect(equal(await peer.expectBinary(), audio, 0, 100_000)).toBe(true);
    expect((await peer.expectBinary()).length).toBe(0);
  }
});

test("an unfinished stream can be read after its uploader has disconnected", async () => {
  using writer = await openPeer();
  const id = freshId("abandoned");
  await writer.start(id);
  writer.socket.binary(Buffer.from("0123456789"));
  await writer.close();
  using reader = await openPeer();
  expect((await reader.read(id, 2, 100)).toString()).toBe("23456789");
  reader.get(id, 10, 100);
  await reader.expectError("No data available at offset 10");
});

test("eight readers download one stream at once, in different chunk sizes, all with the same result", async () => {
  const audio = new Random(8).bytes(3 * MiB + 11);
  const id = await finishedStream("readers", audio);
  const digest = sha256(audio);
  const downloads = [1000, 8 * KiB, 64 * KiB, 65535, 100_000, MiB, 4 * MiB, 64 * KiB].map(
    async (chunkBytes) => {
      using peer = await openPeer();
      expect(sha256(await peer.download(id, audio.length, chunkBytes))).toBe(digest);
    },
  );
  await Promise.all(downloads);
});
