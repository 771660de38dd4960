/** The client library of protocol v1 and the real server, with cut connections and killed servers. */
import { expect, test } from "bun:test";
import { connect } from "../../client/v1/bun.ts";
import type { Client, ConnectOptions } from "../../client/v1/client.ts";
import type { StreamReader } from "../../client/v1/read/stream-reader.ts";
import type { StreamWriter } from "../../client/v1/write/stream-writer.ts";
import { bytesSource } from "../../client/audio-source.ts";
import { cleanups, quickRetry } from "../fixtures/client.ts";
import { Random, seeded, sha256 } from "../harness/bytes.ts";
import { countingPayload, IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { TcpProxy } from "../harness/tcp-proxy.ts";
import { testLimitMs, until, within } from "../harness/until.ts";

useServers();
const cleanup = cleanups();
const limitMs = testLimitMs - 10_000;
const MiB = 1024 * 1024;

async function open(url: string, options: ConnectOptions = {}): Promise<Client> {
  const client = await connect(url, { retry: { ...quickRetry, retries: 500 }, ...options });
  cleanup(() => client.close());
  return client;
}

async function writeAll(streamWriter: StreamWriter, pieces: Uint8Array[]): Promise<void> {
  const writer = streamWriter.writable.getWriter();
  for (const piece of pieces) await writer.write(piece);
  await writer.close();
}

async function bytesOf(reader: StreamReader): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of reader) pieces.push(piece);
  return Buffer.concat(pieces);
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}

test(
  "200 cuts at random moments leave every file of 32 streams on one connection identical",
  seeded(async (random) => {
    await using server = await TestServer.start();
    using proxy = await TcpProxy.open(portOf(server.url));
    let connections = 0;
    const onEvent = ({ type }: { type: string }) => (connections += type === "connected" ? 1 : 0);
    const client = await open(`ws://127.0.0.1:${proxy.port}/audio`, { onEvent });
    const state = { cuts: 0, isOver: false };
    const cutting = (async () => {
      while (!state.isOver && state.cuts < 200) {
        const before = connections;
        await Bun.sleep(random.int(1, 25));
        proxy.cut();
        state.cuts += 1;
        await until("it is back", 10_000, () => state.isOver || connections > before);
      }
    })();
    const rounds = async (file: Uint8Array, index: number) => {
      for (let round = 0; state.cuts < 200 || round === 0; round += 1) {
        const streamWriter = client.openWrite({ id: `song-${index}-${round}` });
        await writeAll(streamWriter, random.pieces(file, 60_000));
        expect(await streamWriter.receipt).toMatchObject({ sha256: sha256(file), verified: true });
        const reader = client.openRead(streamWriter.id);
        expect((await bytesOf(reader)).equals(file)).toBe(true);
        expect((await reader.result).verified).toBe(true);
      }
    };
    const files = filesOf(random, 32, 250_000);
    const all = Promise.all(files.map(rounds)).finally(() => (state.isOver = true));
    await within("every file", limitMs, all, () => `${state.cuts} cuts`);
    await cutting;
    expect(state.cuts).toBe(200);
  }),
);

/** Ends of the server: abrupt, and orderly with a goodbye. */
const endings = {
  killed: (server: TestServer) => server.kill9(),
  "shut down": (server: TestServer) => server.stop(),
};

test.each(Object.entries(endings))(
  "a server that is %s amid 32 uploads and started again gets them all from its durable bytes",
  (_, end) =>
    seeded(async (random) => {
      await using server = await TestServer.start();
      const client = await open(server.url, { retry: { firstDelayMs: 20, maxDelayMs: 200, retries: 200 } });
      const files = filesOf(random, 32, 2_000_000);
      const resumed: number[] = [];
      const uploads = files.map(async (file, index) => {
        const streamWriter = client.openWrite({
          id: `song-${index}`,
          onOpen: (offset) => void (offset > 0 && resumed.push(offset)),
        });
        const writer = streamWriter.writable.getWriter();
        const pieces = random.pieces(file, 100_000);
        const half = pieces.length >> 1;
        for (const piece of pieces.slice(0, half)) await writer.write(piece);
        await until("half is there", limitMs, () => streamWriter.progress.durable > 0);
        await killed;
        for (const piece of pieces.slice(half)) await writer.write(piece);
        await writer.close();
        return await streamWriter.receipt;
      });
      const killed = (async () => {
        await until("some audio is durable", limitMs, async () => {
          const { streams } = await client.list();
          return streams.length === 32 && streams.every(({ size }) => size > 0);
        });
        const port = portOf(server.url);
        await end(server);
        await server.restart({ flags: { port } });
      })();
      const receipts = await within("every upload", limitMs, Promise.all(uploads));
      expect(receipts.map((receipt) => receipt.sha256)).toEqual(files.map(sha256));
      expect(receipts.every(({ verified }) => verified)).toBe(true);
      expect(resumed.length).toBeGreaterThan(0);
      for (const [index, file] of files.entries()) {
        expect((await bytesOf(client.openRead(`song-${index}`))).equals(file)).toBe(true);
      }
    })(),
);

test(
  "a reader that never reads does not affect 31 others and the writers",
  seeded(async (random) => {
    await using server = await TestServer.start();
    const client = await open(server.url);
    const file = random.bytes(4_000_000);
    expect((await client.upload(bytesSource(new Uint8Array(file)), { id: "song" })).verified).toBe(true);
    let received = 0;
    const idle = client.openRead("song", { onProgress: (bytes) => (received = bytes) });
    await idle.opened;
    const others = Array.from({ length: 31 }, () => bytesOf(client.openRead("song")));
    const upload = client.upload(bytesSource(new Uint8Array(file)), { id: "copy" });
    for (const bytes of await within("the others", limitMs, Promise.all(others))) {
      expect(bytes.equals(file)).toBe(true);
    }
    expect((await upload).verified).toBe(true);
    expect(received).toBeLessThanOrEqual(2 * 1024 * 1024);
    expect((await bytesOf(idle)).equals(file)).toBe(true);
  }),
);

test(
  "a follower gets a stream as it grows, across a restart of the server, to its end",
  seeded(async (random) => {
    await using server = await TestServer.start();
    const retry = { firstDelayMs: 20, maxDelayMs: 200, retries: 200 };
    const [sender, follower] = [await open(server.url, { retry }), await open(server.url, { retry })];
    const file = random.bytes(1_500_000);
    const streamWriter = sender.openWrite({
      id: "live",
      metadata: { contentType: "audio/wav", tags: { a: "b" } },
    });
    const writer = streamWriter.writable.getWriter();
    await writer.write(file.subarray(0, 300_000));
    await until("it is there", limitMs, () => streamWriter.progress.durable > 0);
    const received = { bytes: 0 };
    const reader = follower.follow("live", { onProgress: (bytes) => (received.bytes = bytes) });
    const all = bytesOf(reader);
    expect((await reader.opened).metadata).toMatchObject({ contentType: "audio/wav", tags: { a: "b" } });
    for (let at = 300_000; at < file.length; at += 300_000) {
      await writer.write(file.subarray(at, at + 300_000));
      await until("it comes", limitMs, () => received.bytes >= at);
      if (at !== 900_000) continue;
      const port = portOf(server.url);
      await server.kill9();
      await server.restart({ flags: { port } });
    }
    await writer.close();
    expect((await within("the end", limitMs, all)).equals(file)).toBe(true);
    expect(await reader.result).toMatchObject({ outcome: "finished", verified: true });
  }),
);

test("a follower of a recording continues once server and device are back", async () => {
  await using server = await TestServer.start();
  const retry = { firstDelayMs: 20, maxDelayMs: 200, retries: 200 };
  const { frameSamples } = pcmFormat;
  let device = await IngestDevice.open(server.httpBase, pcmFormat, "kitchen");
  let sent = 0;
  const send = () => device.send(countingPayload(sent++ * frameSamples, frameSamples));
  const client = await open(server.url, { retry });
  const heard: number[] = [];
  // A device must be known before it can be followed.
  const reader = await until("the recording", limitMs, async () => {
    send();
    const reader = client.follow({ recording: "kitchen" });
    return await reader.opened.then(
      () => reader,
      () => undefined,
    );
  });
  expect((await reader.opened).metadata.format).toEqual({
    codec: "pcm_s16le",
    sampleRate: 16_000,
    channels: 1,
  });
  const over = (async () => {
    for await (const pcm of reader) heard.push(...new Int16Array(new Uint8Array(pcm).buffer));
  })();
  const hearing = async () => {
    const before = heard.length;
    await until("sound", limitMs, () => {
      send();
      return heard.length > before + 5_000;
    });
  };
  await hearing();
  const port = portOf(server.url);
  await server.kill9();
  await server.restart({ flags: { port } });
  device[Symbol.dispose]();
  device = await IngestDevice.open(server.httpBase, pcmFormat, "kitchen");
  await hearing();
  await device.close();
  await within("the end", limitMs, over);
  expect(await reader.result).toMatchObject({ outcome: "ended", received: 2 * heard.length });
  const jumps = heard.filter((sample, at) => at > 0 && sample !== (((heard[at - 1] ?? 0) + 1) << 16) >> 16);
  // At most the audio between the two connections is missing.
  expect(jumps.length).toBeLessThanOrEqual(1);
});

function filesOf(random: Random, count: number, bytes: number): Uint8Array[] {
  return Array.from({ length: count }, () => random.bytes(random.int(bytes >> 1, bytes)));
}

test("a stream is resumed by writing it again from its beginning, however much the server has", async () => {
  await using server = await TestServer.start();
  const audio = new Random(5).bytes(80 * MiB);
  const first = await connect(server.url);
  const half = first.openWrite({ id: "again" });
  const writer = half.writable.getWriter();
  await writer.write(audio.subarray(0, 70 * MiB));
  await until("most of it to be durable", testLimitMs / 2, () => half.progress.durable > 65 * MiB);
  first.close();
  await writer.closed.catch(() => undefined);

  const second = await connect(server.url);
  const whole = second.openWrite({ id: "again", resume: true });
  const again = whole.writable.getWriter();
  await again.write(audio.subarray(0, MiB));
  // From now on the server has nothing new to acknowledge until the writer has passed what is there.
  await until("the acknowledgement", testLimitMs / 2, () => whole.progress.durable > 65 * MiB);
  for (let at = MiB; at < audio.length; at += MiB) await again.write(audio.subarray(at, at + MiB));
  await again.close();
  expect(await whole.receipt).toMatchObject({ sha256: sha256(audio), verified: true });
  second.close();
});
