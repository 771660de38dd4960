/** Many streams at once: every byte verified, answers in time, memory bounded. */
import { expect, test } from "bun:test";
import { Random, sha256 } from "../harness/bytes.ts";
import { debrisIn } from "../harness/cache-folder.ts";
import { PlainClient } from "../harness/peers/plain-client.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { listStreams } from "../harness/http/streams.ts";

useServers();

const KiB = 1024;
const MiB = 1024 * KiB;
const streams = 128;
const openStreams = 200;
/** Limit for the answers to START and STOP under load. */
const answerLimitMs = 5_000;
/** Far above the duration of a read, far below that of a read queued behind bulk writes. */
const readLimitMs = 250;

const indexes = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

function sizeOf(index: number): number {
  return 512 * KiB + index;
}

function audioOf(index: number): Uint8Array {
  return new Random(index).bytes(sizeOf(index));
}

async function timed<T>(action: () => Promise<T>): Promise<{ ms: number; value: T }> {
  const began = performance.now();
  const value = await action();
  return { ms: performance.now() - began, value };
}

test("128 streams uploaded at once and downloaded at once are all intact, each START and STOP in time", async () => {
  await using server = await TestServer.start();
  const clients = await Promise.all(indexes(streams).map(async () => await PlainClient.open(server.url)));
  const slowest = await Promise.all(
    clients.map(async (client, index) => {
      const audio = audioOf(index);
      const started = await timed(async () => await client.start(`s-${index}`));
      await client.sendAudio(audio);
      const stopped = await timed(async () => await client.stop(`s-${index}`));
      expect(stopped.value).toContain(`"size":${audio.length},"sha256":"${sha256(audio)}"`);
      return Math.max(started.ms, stopped.ms);
    }),
  );
  expect(Math.max(...slowest)).toBeLessThan(answerLimitMs);
  const digests = await Promise.all(
    clients.map(async (client, index) => {
      const hasher = new Bun.CryptoHasher("sha256");
      for (let at = 0; at < sizeOf(index); at += 64 * KiB)
        hasher.update(await client.read(`s-${index}`, at, 64 * KiB));
      return hasher.digest("hex");
    }),
  );
  expect(digests).toEqual(indexes(streams).map((index) => sha256(audioOf(index))));
  for (const client of clients) client.close();
  expect((await listStreams(server.httpBase, "finished")).length).toBe(streams);
  expect(await debrisIn(server.cacheDir, server.httpBase)).toEqual([]);
});

/** Uploads continuously until `enough` returns true; returns the number of bytes. */
async function uploadInBulk(url: string, id: string, enough: AbortSignal): Promise<number> {
  const bulk = new Random(2).bytes(4 * MiB);
  const client = await PlainClient.open(url);
  await client.start(id);
  let sent = 0;
  for (; !enough.aborted; sent += bulk.length) await client.sendAudio(bulk);
  expect(await client.stop(id)).toContain(`"size":${sent},`);
  client.close();
  return sent;
}

/** The median duration of a hundred reads of a stream. */
async function medianReadMs(reader: PlainClient, id: string, audio: Uint8Array): Promise<number> {
  const times: number[] = [];
  for (let read = 0; read < 100; read++) {
    const offset = (read * 64 * KiB) % audio.length;
    const answer = await timed(async () => await reader.read(id, offset, 64 * KiB));
    const isRight = Buffer.compare(answer.value, audio.subarray(offset, offset + 64 * KiB)) === 0;
    if (!isRight) throw new Error(`wrong audio at ${offset}`);
    times.push(answer.ms);
  }
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)]!;
}

test("reads stay fast while other connections upload in bulk", async () => {
  await using server = await TestServer.start();
  const reader = await PlainClient.open(server.url);
  const audio = new Random(1).bytes(MiB);
  await reader.start("read");
  await reader.sendAudio(audio);
  await reader.stop("read");
  const enough = new AbortController();
  const reading = medianReadMs(reader, "read", audio).finally(() => enough.abort());
  const uploads = indexes(4).map(
    async (index) => await uploadInBulk(server.url, `bulk-${index}`, enough.signal),
  );
  const [medianMs, ...sent] = await Promise.all([reading, ...uploads]);
  reader.close();
  expect(Math.min(...sent)).toBeGreaterThan(0);
  expect(medianMs).toBeLessThan(readLimitMs);
});

test.skipIf(process.platform !== "linux")(
  "200 open streams cost under 1 MiB of the server's memory each",
  async () => {
    await using server = await TestServer.start();
    const audio = new Random(3).bytes(256 * KiB);
    const warmUp = await PlainClient.open(server.url);
    await warmUp.start("warm-up");
    await warmUp.sendAudio(new Random(4).bytes(16 * MiB));
    await warmUp.stop("warm-up");
    await warmUp.read("warm-up", 0, MiB);
    const before = await server.memory();
    const clients = await Promise.all(
      indexes(openStreams).map(async () => await PlainClient.open(server.url)),
    );
    await Promise.all(
      clients.map(async (client, index) => {
        await client.start(`open-${index}`);
        await client.sendAudio(audio);
        const last = await client.read(`open-${index}`, audio.length - 1, 1);
        expect(last[0]).toBe(audio.at(-1)!);
      }),
    );
    const after = await server.memory();
    const perStream = (after.residentBytes - before.residentBytes) / openStreams;
    expect(perStream).toBeLessThan(MiB);
    const digest = sha256(audio);
    await Promise.all(
      clients.map(async (client, index) => {
        expect(await client.stop(`open-${index}`)).toContain(digest);
        client.close();
      }),
    );
  },
);
