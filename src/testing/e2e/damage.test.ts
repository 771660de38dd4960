/** Objects that were damaged from outside: their readers get an ERROR instead of wrong audio, and nobody else notices. */
import { describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { AudioCachePeer, freshId } from "../harness/peers/audio-cache.ts";
import { Random, sha256 } from "../harness/bytes.ts";
import { flipByte, objectPath } from "../harness/damage.ts";
import { scrape } from "../harness/http/exposition.ts";
import { removeStream, streamInfo } from "../harness/http/streams.ts";
import { fetchSong } from "../harness/peers/song-peer.ts";
import { V1Peer } from "../harness/peers/v1.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { openSongUdp } from "../../client/songs/udp.ts";
import { until } from "../harness/until.ts";

useServers();

const KiB = 1024;
const MiB = 1024 * KiB;
const waitMs = 20_000;
/** In the middle of the audio, and in the middle of a range that starts at a multiple of 64 KiB. */
const damagedAt = MiB + 100_000;
const damagedRange = { offset: MiB + 64 * KiB, length: 64 * KiB };

const gateways = { "tls-port": 0, "udp-port": 0, "udp-allow": "127.0.0.0/8" };

interface Damaged {
  server: TestServer;
  peer: AudioCachePeer;
  id: string;
  audio: Uint8Array;
  path: string;
}

async function uploaded(flags: Record<string, string | number> = gateways): Promise<Damaged> {
  const server = await TestServer.start({ flags });
  const peer = await AudioCachePeer.open(server.url);
  const audio = new Random(1).bytes(2 * MiB + 777);
  const id = freshId("damaged");
  await peer.upload(id, audio);
  return { server, peer, id, audio, path: objectPath(server, sha256(audio)) };
}

/** The ports in the line that says ready. */
function portOf(server: TestServer, scheme: "tls" | "udp"): number {
  return Number(new RegExp(`${scheme}://\\S+:(\\d+)`).exec(server.stdout)![1]);
}

describe.each(["before its first read", "after it was read", "before a restart"])(
  "a byte that changes %s",
  (when) => {
    test("is never served: the range gets an ERROR, over every protocol, and the rest is read", async () => {
      const { server, peer, id, audio, path } = await uploaded();
      await using _ = server;
      if (when === "after it was read") {
        expect(sha256(await peer.download(id, audio.length))).toBe(sha256(audio));
        expect(sha256(await peer.download(id, audio.length))).toBe(sha256(audio));
      }
      flipByte(path, damagedAt);
      if (when === "before a restart") await server.restart();
      using older = await AudioCachePeer.open(server.url);
      const { offset, length } = damagedRange;
      for (let times = 0; times < 3; times += 1) {
        older.get(id, offset, length);
        const { message } = await older.expectError(`Failed to read from stream: ${id}`);
        expect(message).toContain("damaged");
        older.get(id, damagedAt, 1);
        await older.expectError(`Failed to read from stream: ${id}`);
        const before = await older.read(id, 0, offset);
        expect(Buffer.compare(before, audio.subarray(0, offset))).toBe(0);
        const after = offset + length;
        const rest = await older.read(id, after, audio.length - after);
        expect(Buffer.compare(rest, audio.subarray(after))).toBe(0);
      }
      using v1 = await V1Peer.open(server.url);
      v1.send({ type: "READ", channel: 1, streamId: id, offset, length });
      expect(await v1.errorOn(1)).toBe("OBJECT_DAMAGED");
      expect((await v1.read(1, id, 0, 1000)).audio).toEqual(Buffer.from(audio.subarray(0, 1000)));

      const overTls = await fetchSong(portOf(server, "tls"), id);
      expect(overTls.failure).toBe("ECONNRESET");
      expect(Buffer.compare(overTls.bytes, audio.subarray(0, overTls.bytes.length))).toBe(0);
      await expectCutSong(server, id, audio);
      await server.untilLogged(new RegExp(`audio is damaged on the disk.*${id}`));
      expect(server.isRunning).toBe(true);
    });
  },
);

/** By reliable UDP the song fails; by plain UDP it stops without its end. What arrives is right. */
async function expectCutSong(server: TestServer, name: string, audio: Uint8Array): Promise<void> {
  const port = portOf(server, "udp");
  const download = await openSongUdp({ host: "127.0.0.1", port, name, reliable: "only" });
  const pieces: Uint8Array[] = [];
  const collect = async (): Promise<void> => {
    for await (const piece of download.chunks) pieces.push(piece);
  };
  expect(collect()).rejects.toThrow("OBJECT_DAMAGED");
  await download.result.catch(() => undefined);
  const got = Buffer.concat(pieces);
  expect(Buffer.compare(got, audio.subarray(0, got.length))).toBe(0);
}

test("an upload of the same audio replaces a damaged object, and its readers get the new file", async () => {
  const { server, peer, id, audio, path } = await uploaded({});
  await using _ = server;
  flipByte(path, damagedAt);
  peer.get(id, damagedRange.offset, damagedRange.length);
  await peer.expectError(`Failed to read from stream: ${id}`);
  const again = freshId("again");
  expect(await peer.upload(again, audio)).toMatchObject({ sha256: sha256(audio) });
  for (const each of [again, id]) {
    expect(sha256(await peer.download(each, audio.length))).toBe(sha256(audio));
  }
  expect(sha256(fs.readFileSync(path))).toBe(sha256(audio));
  flipByte(path, 5);
  expect(await peer.upload(freshId("unread"), audio)).toMatchObject({ sha256: sha256(audio) });
  expect(sha256(fs.readFileSync(path))).toBe(sha256(audio));
});

test("an object that is truncated while it is read ends reads with an ERROR, not the server", async () => {
  const { server, peer, id, audio, path } = await uploaded({});
  await using _ = server;
  const other = freshId("whole");
  const otherAudio = new Random(2).bytes(300_000);
  await peer.upload(other, otherAudio);
  const state = { isDamaged: false };
  let errors = 0;
  const readInALoop = async (): Promise<void> => {
    using reader = await AudioCachePeer.open(server.url);
    for (let reads = 0; !state.isDamaged || reads < 100; reads += 1) {
      reader.get(id, (reads * 64 * KiB) % (2 * MiB), 64 * KiB);
      if ((await reader.next()).opcode === 1) errors += 1;
    }
  };
  const loops = Promise.all([readInALoop(), readInALoop(), readInALoop()]);
  for (const size of [audio.length - 5, MiB + 5, 0]) {
    await Bun.spawn(["truncate", "-s", String(size), path]).exited;
    await peer.read(other, 0, 10);
  }
  state.isDamaged = true;
  await loops;
  expect(errors).toBeGreaterThan(0);
  expect(server.isRunning).toBe(true);
  expect(sha256(await peer.download(other, otherAudio.length))).toBe(sha256(otherAudio));
});

describe.each([
  ["a folder", (path: string) => fs.mkdirSync(path)],
  ["a pipe", (path: string) => void Bun.spawnSync(["mkfifo", path])],
  ["a link to nothing", (path: string) => fs.symlinkSync("nowhere", path)],
])("%s in place of an object", (_what, put) => {
  test("is an ERROR to its readers only, and an upload of the same audio replaces it", async () => {
    const { server, peer, id, audio, path } = await uploaded();
    await using _ = server;
    const other = freshId("whole");
    await peer.upload(other, Buffer.from("audio"));
    fs.unlinkSync(path);
    put(path);
    await server.restart();
    using reader = await AudioCachePeer.open(server.url);
    reader.get(id, 0, 100);
    await reader.expectError(`Failed to read from stream: ${id}`);
    expect((await reader.read(other, 0, 100)).toString()).toBe("audio");
    expect(await fetchSong(portOf(server, "tls"), id)).toMatchObject({ bytes: Buffer.alloc(0) });
    await reader.upload(freshId("again"), audio);
    expect(sha256(await reader.download(id, audio.length))).toBe(sha256(audio));
  });
});

test("an object that another program replaces by a right copy is read from the copy", async () => {
  const { server, peer, id, audio, path } = await uploaded({});
  await using _ = server;
  flipByte(path, 10);
  peer.get(id, 0, 100);
  await peer.expectError(`Failed to read from stream: ${id}`);
  fs.writeFileSync(`${path}.copy`, audio);
  fs.renameSync(`${path}.copy`, path);
  expect(sha256(await peer.download(id, audio.length))).toBe(sha256(audio));
});

test("without block checksums, an object is verified as a whole and gets them again", async () => {
  const { server, peer, id, audio, path } = await uploaded({});
  await using _ = server;
  const bad = new Random(3).bytes(500_000);
  const badId = freshId("bad");
  await peer.upload(badId, bad);
  await server.stop();
  const sums = server.cacheDir + "/sums-v1";
  expect(fs.readdirSync(sums, { recursive: true }).length).toBeGreaterThan(2);
  fs.rmSync(sums, { recursive: true });
  flipByte(objectPath(server, sha256(bad)), 1000);
  await server.restart();
  using reader = await AudioCachePeer.open(server.url);
  expect(sha256(await reader.download(id, audio.length))).toBe(sha256(audio));
  reader.get(badId, 400_000, 10);
  await reader.expectError(`Failed to read from stream: ${badId}`);
  flipByte(path, damagedAt);
  reader.get(id, damagedAt, 10);
  await reader.expectError(`Failed to read from stream: ${id}`);
});

/** Waits until the metric has this value. */
async function untilMetric(server: TestServer, name: string, wanted: number): Promise<void> {
  let last: number | undefined;
  const reached = async (): Promise<boolean> => {
    last = (await scrape(server.httpBase))!.sum(name);
    return last === wanted;
  };
  await until(`${name} of ${wanted}`, waitMs, reached, () => `it is ${last}`);
}

const isDamaged = async (server: TestServer, id: string): Promise<boolean | undefined> =>
  (await streamInfo(server.httpBase, id))?.damaged;

test("a read that finds damage marks the streams of that audio, and warns of them once", async () => {
  const { server, peer, id, audio, path } = await uploaded({});
  await using _ = server;
  await peer.upload("copy", audio);
  await peer.upload("other", Buffer.from("audio"));
  flipByte(path, 10);
  for (let times = 0; times < 5; times += 1) {
    peer.get(times % 2 === 0 ? id : "copy", 0, 100);
    await peer.expectError(/Failed to read from stream/);
  }
  await untilMetric(server, "wavecache_damaged_streams", 2);
  expect((await scrape(server.httpBase))!.sum("wavecache_damage_found_total")).toBe(5);
  const marks = await Promise.all([id, "copy", "other"].map((each) => isDamaged(server, each)));
  expect(marks).toEqual([true, true, false]);
  expect(server.log.match(/audio is damaged on the disk/g)).toHaveLength(1);
  await server.untilLogged(`copy ${id}`);
  await server.restart();
  await untilMetric(server, "wavecache_damaged_streams", 2);
  using next = await AudioCachePeer.open(server.url);
  expect(await removeStream(server.httpBase, "copy")).toBe(204);
  await untilMetric(server, "wavecache_damaged_streams", 1);
  await next.upload("repair", audio);
  await untilMetric(server, "wavecache_damaged_streams", 0);
  expect(await isDamaged(server, id)).toBe(false);
});

test("a bad sector is an ERROR to the reads that touch it, and the scrub finds out when it is gone", async () => {
  const env = { WAVECACHE_FAILPOINTS: "object.read*1=EIO" };
  await using server = await TestServer.start({ env, flags: { workers: 1, "scrub-days": "off" } });
  using peer = await AudioCachePeer.open(server.url);
  const audio = new Random(6).bytes(300_000);
  await peer.upload("sector", audio);
  peer.get("sector", 0, 1000);
  const { message } = await peer.expectError(/Failed to read from stream/);
  expect(message).toContain("damaged");
  expect(sha256(await peer.download("sector", audio.length))).toBe(sha256(audio));
  await untilMetric(server, "wavecache_damaged_streams", 1);
  await server.restart({ env: {}, flags: { "scrub-days": 0.00001 } });
  await untilMetric(server, "wavecache_damaged_streams", 0);
  expect(server.log).toContain("damaged audio is whole again");
});

test("the scrub finds damage that nobody reads, and makes missing checksums again", async () => {
  const { server, peer, id, audio, path } = await uploaded({ "scrub-days": 0.00001 });
  await using _ = server;
  const whole = new Random(5).bytes(100_000);
  await peer.upload("whole", whole);
  flipByte(path, audio.length - 1);
  await untilMetric(server, "wavecache_damaged_streams", 1);
  expect(await isDamaged(server, id)).toBe(true);
  await server.untilLogged(new RegExp(`audio is damaged on the disk.*${id}`));
  flipByte(path, audio.length - 1);
  await untilMetric(server, "wavecache_damaged_streams", 0);
  await server.stop();
  fs.rmSync(`${server.cacheDir}/sums-v1`, { recursive: true });
  flipByte(objectPath(server, sha256(whole)), 1);
  await server.restart();
  await untilMetric(server, "wavecache_damaged_streams", 1);
  expect([await isDamaged(server, id), await isDamaged(server, "whole")]).toEqual([false, true]);
  const digest = sha256(audio);
  const sums = `${server.cacheDir}/sums-v1/${digest.slice(0, 2)}/${digest}`;
  await until("the checksums", waitMs, () => fs.existsSync(sums));
  expect(await server.stop()).toBe(0);
});
