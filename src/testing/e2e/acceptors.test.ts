/** Accepting threads beside the main thread: what peers see stays the same, whichever thread has their socket. */
import { expect, test } from "bun:test";
import { AudioCachePeer } from "../harness/audio-cache-peer.ts";
import { Random, sha256 } from "../harness/bytes.ts";
import { IngestDevice, countingPayload, pcmFormat } from "../harness/ingest-device.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { listStreams } from "../harness/streams-api.ts";
import { until } from "../harness/until.ts";

useServers();

const KiB = 1024;
const MiB = 1024 * KiB;
const isLinux = process.platform === "linux";
const waitMs = 10_000;

/** The system shares connections out at random: of so many, none misses a thread but once in ten million times. */
const manyPeers = 40;

const audioOf = (index: number): Uint8Array => new Random(index).bytes(MiB + index);

const indexes = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

async function withAcceptors(flags: Record<string, string | number> = {}, env: Record<string, string> = {}) {
  return await TestServer.start({ flags: { acceptors: 2, ...flags }, env });
}

async function openPeers(server: TestServer, count = manyPeers): Promise<AudioCachePeer[]> {
  return await Promise.all(indexes(count).map(async () => await AudioCachePeer.open(server.url)));
}

/** The peers whose connection has ended, as time goes on. */
function endedOf(peers: AudioCachePeer[]): Set<AudioCachePeer> {
  const ended = new Set<AudioCachePeer>();
  for (const peer of peers) void peer.socket.ended.then(() => ended.add(peer));
  return ended;
}

test.skipIf(!isLinux)(
  "streams over many connections come back as they were sent, and so does a plain list",
  async () => {
    await using server = await withAcceptors();
    const peers = await openPeers(server);
    await Promise.all(
      peers.map(async (peer, index) => {
        const audio = audioOf(index);
        expect((await peer.upload(`s-${index}`, audio)).sha256).toBe(sha256(audio));
      }),
    );
    await Promise.all(
      peers.map(async (peer, index) => {
        const other = (index + 7) % peers.length;
        const audio = audioOf(other);
        expect(sha256(await peer.download(`s-${other}`, audio.length))).toBe(sha256(audio));
      }),
    );
    for (let round = 0; round < 10; round += 1) {
      expect((await listStreams(server.httpBase, "finished")).length).toBe(manyPeers);
    }
    for (const peer of peers) await peer.close();
  },
);

test.skipIf(!isLinux)(
  "the longest messages cross whole in both directions, and the shortest too",
  async () => {
    await using server = await withAcceptors();
    const audio = new Random(1).bytes(16 * MiB);
    for (const index of indexes(5)) {
      using peer = await AudioCachePeer.open(server.url);
      await peer.upload(`long-${index}`, audio, audio.length);
      expect(sha256(await peer.read(`long-${index}`, 0, audio.length))).toBe(sha256(audio));
      peer.get(`long-${index}`, audio.length, 1);
      expect((await peer.expectBinary()).length).toBe(0);
      peer.send({ type: "FOO" });
      await peer.expectError("Unknown message type: FOO");
    }
  },
);

test.skipIf(!isLinux)(
  "peers that take nothing cost a bounded amount, and later get all of it in order",
  async () => {
    await using server = await withAcceptors();
    const audio = new Random(1).bytes(8 * MiB);
    const peers = await openPeers(server, 12);
    await peers[0]!.upload("x", audio, MiB);
    const before = (await server.memory()).ownBytes;
    for (const peer of peers) {
      peer.socket.pause();
      for (let index = 0; index < 64; index += 1) peer.get("x", (index % 8) * MiB, MiB);
      await peer.socket.flush();
    }
    using other = await AudioCachePeer.open(server.url);
    await other.upload("y", audio);
    expect((await server.memory()).ownBytes - before).toBeLessThan(150 * MiB);
    for (const peer of peers) {
      peer.socket.resume();
      for (let index = 0; index < 64; index += 1) {
        const from = (index % 8) * MiB;
        const answer = await peer.expectBinary(waitMs);
        if (!answer.equals(audio.subarray(from, from + MiB))) throw new Error(`wrong answer to GET ${index}`);
      }
    }
  },
);

test.skipIf(!isLinux)(
  "an accepting thread that dies takes its connections with it, and another takes its place",
  async () => {
    // Each thread dies at this message; those that take their places do not.
    const failpoints = "accept.message*30=exit-worker";
    await using server = await withAcceptors({}, { WAVECACHE_FAILPOINTS: failpoints });
    const peers = await openPeers(server, 20);
    const lost = endedOf(peers);
    for (const [index, peer] of peers.entries()) await peer.start(`s-${index}`);
    const deaths = () => server.log.split("an accepting thread died").length - 1;
    await until("both threads died", waitMs, () => {
      for (const peer of peers) if (!lost.has(peer)) peer.send({ type: "FOO" });
      return deaths() === 2;
    });
    await until("their connections are lost", waitMs, () => lost.size > 0);
    expect(lost.size).toBeLessThan(peers.length);
    const after = await openPeers(server);
    for (const [index, peer] of after.entries()) await peer.upload(`after-${index}`, Buffer.from("audio"));
    // What the lost ones had begun can be gone on with.
    const at = peers.findIndex((peer) => lost.has(peer));
    expect(await after[0]!.resume(`s-${at}`)).toBe(0);
  },
);

test.skipIf(!isLinux)("there are no more connections than allowed, over all threads", async () => {
  await using server = await withAcceptors({ "max-connections": 5 });
  const peers: AudioCachePeer[] = [];
  for (const _ of indexes(5)) peers.push(await AudioCachePeer.open(server.url));
  for (const _ of indexes(10)) expect(AudioCachePeer.open(server.url)).rejects.toThrow("503");
  await peers[0]!.close();
  await until("there is room again", waitMs, async () => {
    const peer = await AudioCachePeer.open(server.url).catch(() => undefined);
    peer?.[Symbol.dispose]();
    return peer !== undefined;
  });
});

test.skipIf(!isLinux)("a live listener hears a device, whichever threads they come to", async () => {
  await using server = await withAcceptors();
  for (const streamId of indexes(8)) {
    const device = await IngestDevice.open(server.httpBase, { ...pcmFormat, streamId });
    const send = () => device.send(countingPayload(device.seq * 320, 320));
    send();
    const response = await until("the stream is live", waitMs, async () => {
      const found = await fetch(`${server.httpBase}/live/${streamId}.wav`, {
        headers: { connection: "close" },
      });
      return found.status === 200 && found;
    });
    const reader = response.body!.getReader();
    let heard = 0;
    await until("it is heard", waitMs, async () => {
      send();
      heard += (await reader.read()).value!.length;
      return heard > 4 * KiB;
    });
    await reader.cancel();
    await device.close();
  }
});

test.skipIf(!isLinux)("SIGTERM says good-bye to the peers of every thread, and the server ends", async () => {
  const server = await withAcceptors();
  const peers = await openPeers(server, 20);
  const ended = endedOf(peers);
  expect(await server.stop()).toBe(0);
  await until("all peers are closed", waitMs, () => ended.size === peers.length);
});
