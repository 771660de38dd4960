/** Peers that do not read: the server buffers a bounded part of their answers and serves everyone else. */
import { expect, test } from "bun:test";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { Random, sha256 } from "../harness/bytes.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { encodeFrame, opcodes } from "../harness/peers/websocket-frames.ts";

useServers();

const KiB = 1024;
const MiB = 1024 * KiB;
const isLinux = process.platform === "linux";

/** Allowance for one slow reader: a heap that grows by serving others, far below what the reader requests. */
const slowReaderBytes = 100 * MiB;
const askedMebibytes = 400;

async function ownBytes(server: TestServer): Promise<number> {
  return (await server.memory()).ownBytes;
}

/** Full round trips of another client; returns the peak memory during them. */
async function serveOthers(server: TestServer, rounds: number): Promise<number> {
  using peer = await AudioCachePeer.open(server.url);
  let peakBytes = 0;
  for (let round = 0; round < rounds; round++) {
    const audio = new Random(round).bytes(MiB);
    const id = `other-${crypto.randomUUID()}`;
    await peer.upload(id, audio);
    expect(sha256(await peer.download(id, audio.length))).toBe(sha256(audio));
    peakBytes = Math.max(peakBytes, await ownBytes(server));
  }
  return peakBytes;
}

test.skipIf(!isLinux)(
  "a reader that pipelines 400 MB and reads nothing costs little memory, and later gets all of it in order",
  async () => {
    await using server = await TestServer.start();
    const audio = new Random(1).bytes(8 * MiB);
    using slow = await AudioCachePeer.open(server.url);
    await slow.upload("x", audio, MiB);
    const before = await serveOthers(server, 20);
    slow.socket.pause();
    for (let index = 0; index < askedMebibytes; index++) slow.get("x", (index % 8) * MiB, MiB);
    await slow.socket.flush();
    const peakBytes = await serveOthers(server, 20);
    expect(peakBytes - before).toBeLessThan(slowReaderBytes);
    slow.socket.resume();
    for (let index = 0; index < askedMebibytes; index++) {
      const answer = await slow.expectBinary(10_000);
      const from = (index % 8) * MiB;
      if (!answer.equals(audio.subarray(from, from + MiB))) throw new Error(`wrong answer to GET ${index}`);
    }
  },
);

test.skipIf(!isLinux)(
  "fifty readers that do not read cost a bounded amount together, and leave nothing behind",
  async () => {
    await using server = await TestServer.start();
    const audio = new Random(2).bytes(4 * MiB);
    using uploader = await AudioCachePeer.open(server.url);
    await uploader.upload("x", audio, MiB);
    const before = await serveOthers(server, 10);
    const slow: AudioCachePeer[] = [];
    for (let index = 0; index < 50; index++) {
      const peer = await AudioCachePeer.open(server.url);
      peer.socket.pause();
      for (let get = 0; get < 50; get++) peer.get("x", (get % 16) * 256 * KiB, 256 * KiB);
      slow.push(peer);
    }
    const peakBytes = await serveOthers(server, 10);
    // 50 readers request 625 MB. Each may have half a megabyte in flight, and one more answer.
    expect(peakBytes - before).toBeLessThan(150 * MiB);
    for (const peer of slow) peer.socket.reset();
    expect(sha256(await uploader.download("x", audio.length))).toBe(sha256(audio));
    await serveOthers(server, 5);
  },
);

test.skipIf(!isLinux)(
  "a peer that sends nonsense and never reads its errors does not grow the server",
  async () => {
    await using server = await TestServer.start();
    using peer = await AudioCachePeer.open(server.url);
    peer.socket.pause();
    const before = await serveOthers(server, 20);
    const nonsense = "x".repeat(1000);
    for (let sent = 0; sent < 50_000 && peer.socket.isOpen && peer.socket.unsentBytes < MiB; sent++) {
      peer.socket.text(nonsense);
      if (sent % 100 === 0) await Bun.sleep(0);
    }
    const peakBytes = await serveOthers(server, 5);
    expect(peakBytes - before).toBeLessThan(slowReaderBytes);
  },
);

test.skipIf(!isLinux)(
  "uploads that arrive faster than the disk writes get backpressure instead of memory",
  async () => {
    await using server = await TestServer.start({ flags: { workers: 1 } });
    const before = await serveOthers(server, 10);
    // One frame, encoded once and with a zero mask: the sender is as fast as the kernel.
    const audio = new Random(3).bytes(64 * KiB);
    const frame = encodeFrame({ opcode: opcodes.binary, payload: audio, mask: Buffer.alloc(4) });
    const framesEach = 2048;
    let peakBytes = 0;
    const uploads = ["a", "b", "c", "d"].map(async (id) => {
      using peer = await AudioCachePeer.open(server.url);
      await peer.start(id);
      for (let sent = 0; sent < framesEach; sent++) {
        peer.socket.write(frame);
        await peer.socket.flush();
        if (sent % 64 === 0) peakBytes = Math.max(peakBytes, await ownBytes(server));
      }
      expect((await peer.stop(id, 20_000)).size).toBe(framesEach * audio.length);
    });
    await Promise.all(uploads);
    expect(peakBytes - before).toBeLessThan(slowReaderBytes);
  },
);
