import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { GiB, KiB, MiB } from "../../base/limits/units.ts";
import { maxChannels, maxMessageBytes } from "../../base/limits/v1.ts";
import { encodeMessage } from "../../wire/v1/encode.ts";
import { freshId } from "../harness/peers/audio-cache.ts";
import { Random, sha256 } from "../harness/bytes.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { streamInfo } from "../harness/http/streams.ts";
import { until } from "../harness/until.ts";
import { plain, V1Peer } from "../harness/peers/v1.ts";

useServers();

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
});
afterAll(() => server.dispose());

const audio = new Random(11).bytes(2 * MiB);

/** Audio that differs between channels. */
function piece(channel: number): Uint8Array {
  return audio.subarray(channel, channel + 8000);
}

describe("a connection is closed, with the reason, for", () => {
  const faults: Record<string, [code: string, close: number, send: (peer: V1Peer) => void]> = {
    "bytes that are no message": ["BAD_REQUEST", 1008, (peer) => peer.socket.binary(Buffer.from([0xff]))],
    "a text": ["BAD_REQUEST", 1008, (peer) => peer.socket.text("hello")],
    "a message of the opposite direction": [
      "BAD_REQUEST",
      1008,
      (peer) => peer.socket.binary(encodeMessage({ type: "ACK", channel: 1, written: 0, durable: 0 })),
    ],
    "a second HELLO": ["BAD_REQUEST", 1008, (peer) => peer.sendHello()],
    "a channel that is opened twice": [
      "BAD_REQUEST",
      1008,
      (peer) => {
        peer.create(1, freshId("twice"));
        peer.create(1, freshId("twice"));
      },
    ],
    "DATA after FINISH": [
      "BAD_REQUEST",
      1008,
      (peer) => {
        peer.create(1, freshId("behind"));
        peer.send({ type: "FINISH", channel: 1, size: 0 });
        peer.data(1, 0, audio.subarray(0, 10));
      },
    ],
    "DATA on a query": [
      "BAD_REQUEST",
      1008,
      (peer) => {
        // So many that the last of them waits in the queue.
        for (let channel = 1; channel <= 100; channel += 1) {
          peer.send({ type: "LIST", channel, filter: "all", after: "", limit: 1 });
        }
        peer.data(100, 0, audio.subarray(0, 10));
      },
    ],
    "more credit than the limit": [
      "CREDIT_EXCEEDED",
      1008,
      (peer) => peer.send({ type: "CREDIT", channel: 0, bytes: GiB }),
    ],
    "a message that is too long": [
      "MESSAGE_TOO_LARGE",
      1009,
      (peer) => peer.socket.binary(new Uint8Array(maxMessageBytes + 1)),
    ],
  };
  for (const [what, [code, close, send]] of Object.entries(faults)) {
    test(what, async () => {
      using peer = await V1Peer.open(server.url);
      send(peer);
      expect([await peer.faultCode(), peer.closeCode]).toEqual([code, close]);
      expect(peer.fault?.hint).not.toBe("");
    });
  }

  test("anything before HELLO", async () => {
    using peer = await V1Peer.open(server.url, null);
    await peer.greeted();
    peer.send({ type: "PING", nonce: 1 });
    expect(await peer.faultCode()).toBe("BAD_REQUEST");
  });

  test("more DATA on all channels than the connection's credit", async () => {
    using peer = await V1Peer.open(server.url);
    const { connectionCredit, channelCredit } = await peer.greeted();
    // On channels that are not open, so that no channel limit applies: the server ignores the audio, but counts it.
    for (let sent = 0; sent <= connectionCredit + 4 * MiB; sent += 256 * KiB) {
      peer.data(7, 0, audio.subarray(0, 256 * KiB));
      await peer.socket.flush();
      expect(peer.fault).toBeUndefined();
    }
    await peer.when("credit to be granted again", () => peer.credit.bytes > connectionCredit || undefined);
    expect(channelCredit).toBeLessThan(200 * KiB);
  });
});

describe("a connection", () => {
  test("answers PING, ignores messages of later revisions and messages for closed channels", async () => {
    using peer = await V1Peer.open(server.url);
    peer.socket.binary(Buffer.from([0x92, 0x64, 0x01]));
    peer.send({ type: "CREDIT", channel: 5, bytes: 10 });
    peer.send({ type: "CLOSE", channel: 5, discard: false });
    peer.send({ type: "FINISH", channel: 5, size: 10 });
    peer.data(5, 3, audio.subarray(0, 10));
    peer.send({ type: "PING", nonce: 77 });
    await peer.when("PONG", () => peer.pongs.includes(77) || undefined);
  });

  test("pings a peer whose idle time requires it", async () => {
    using peer = await V1Peer.open(server.url, { idleMs: 900 });
    await peer.when("PING", () => peer.pings >= 2 || undefined, 10_000);
  });

  test("fails only the channel whose opening is malformed", async () => {
    using peer = await V1Peer.open(server.url);
    peer.socket.binary(Buffer.from([0x95, 0x11, 0x03, 0xa1, 0x61, 0xa1, 0x61, 0xc0]));
    expect(await peer.errorOn(3)).toBe("BAD_REQUEST");
    const id = freshId("after");
    expect(await peer.upload(3, id, audio.subarray(0, 5))).toMatchObject({ size: 5 });
  });

  test("is not affected by floods of nonsense on other connections", async () => {
    const random = new Random(3);
    using good = await V1Peer.open(server.url);
    const flood = Array.from({ length: 30 }, async () => {
      using bad = await V1Peer.open(server.url);
      while (!bad.isOver) {
        const bytes = random.bytes(random.int(1, 200));
        if (random.chance(70)) bytes[0] = 0x90 + random.int(1, 8);
        bad.socket.binary(bytes);
        await bad.socket.flush();
        await Bun.sleep(0);
      }
    });
    const id = freshId("calm");
    await good.upload(1, id, audio);
    expect(sha256((await good.read(2, id)).audio)).toBe(sha256(audio));
    await Promise.all(flood);
  });

  test("has as many channels as HELLO says, works on all of them, and rejects one more", async () => {
    using peer = await V1Peer.open(server.url, { channelCredit: 4096, connectionCredit: 64 * MiB });
    expect((await peer.greeted()).maxChannels).toBe(maxChannels);
    const run = freshId("many");
    for (let channel = 1; channel <= maxChannels; channel += 1) {
      peer.create(channel, `${run}-${channel}`);
      peer.data(channel, 0, piece(channel));
    }
    peer.create(maxChannels + 1, `${run}-more`);
    expect(await peer.errorOn(maxChannels + 1)).toBe("STREAMS_EXHAUSTED");
    const numbers = Array.from({ length: maxChannels }, (_, index) => index + 1);
    for (const channel of numbers) peer.send({ type: "FINISH", channel, size: 8000 });
    const ends = await Promise.all(numbers.map((channel) => peer.lastWord(channel, 30_000)));
    expect(ends.filter(({ type }) => type === "END")).toHaveLength(maxChannels);
    const reads = await Promise.all(numbers.map((channel) => peer.read(channel, `${run}-${channel}`)));
    expect(reads.every(({ audio: got }, at) => Buffer.compare(got, piece(at + 1)) === 0)).toBe(true);
  }, 60_000);

  test("is not blocked by a reader that grants no credit", async () => {
    using peer = await V1Peer.open(server.url, { channelCredit: 128 * KiB });
    const id = freshId("read");
    await peer.upload(1, id, audio);
    for (const channel of [100, 101, 102]) {
      peer.send({ type: "READ", channel, streamId: id, offset: 0, length: undefined });
    }
    const numbers = Array.from({ length: 31 }, (_, index) => index + 1);
    const reads = await Promise.all(numbers.map((channel) => peer.read(channel, id)));
    expect(reads.every((read) => sha256(read.audio) === sha256(audio))).toBe(true);
    expect(peer.received(100)).toBe(128 * KiB);
  });

  test("is not blocked by a writer that stalls", async () => {
    using peer = await V1Peer.open(server.url);
    peer.create(1, freshId("still"));
    peer.data(1, 0, audio.subarray(0, 10));
    const uploads = Array.from({ length: 31 }, (_, index) =>
      peer.upload(index + 2, freshId("moving"), audio),
    );
    for (const end of await Promise.all(uploads)) expect(end.sha256).toBe(sha256(audio));
  });

  test("that reads no answers costs the server little, and other connections nothing", async () => {
    using peer = await V1Peer.open(server.url);
    const id = freshId("named");
    await peer.upload(1, id, audio.subarray(0, 10));
    const before = (await server.memory()).ownBytes;
    peer.socket.pause();
    const query = { type: "INFO", streamId: "nobody" } as const;
    const asking = (async () => {
      for (let round = 0; !peer.isOver && peer.socket.isOpen && round < 400; round += 1) {
        for (let channel = 1; channel <= 1000; channel += 1) {
          peer.socket.binary(encodeMessage({ ...query, channel }));
        }
        if (peer.socket.unsentBytes > 16 * MiB) break;
        await Bun.sleep(1);
      }
    })();
    await asking;
    const after = (await server.memory()).ownBytes;
    expect(after - before).toBeLessThan(150 * MiB);
    using other = await V1Peer.open(server.url);
    expect((await other.read(1, id)).audio).toHaveLength(10);
  }, 60_000);
});

describe("the end of the server", () => {
  test("after kill -9 acknowledged bytes are kept, and the upload resumes there", async () => {
    await using own = await TestServer.start();
    const id = "survivor";
    let ackedBytes = 0;
    {
      using peer = await V1Peer.open(own.url);
      peer.create(1, id, { ...plain, tags: { kept: "yes" } });
      await peer.write(1, audio, 0, 1_500_000);
      await peer.when("an ACK", () => peer.acked(1).durable > 0 || undefined, 20_000);
      await own.kill9();
      ackedBytes = peer.acked(1).written;
    }
    await own.restart();
    using peer = await V1Peer.open(own.url);
    const { offset, metadata } = await peer.resume(1, id);
    expect(offset).toBeGreaterThanOrEqual(ackedBytes);
    expect(metadata.tags).toEqual({ kept: "yes" });
    await peer.write(1, audio, offset);
    expect((await peer.finish(1, audio.length)).sha256).toBe(sha256(audio));
  });

  test("sends GOODBYE, finishes channels in progress, rejects new ones, and makes the rest durable", async () => {
    await using own = await TestServer.start();
    using peer = await V1Peer.open(own.url);
    using idle = await V1Peer.open(own.url);
    peer.create(1, "finishes");
    peer.create(2, "stays");
    await peer.write(1, audio, 0, 1_000_000);
    await peer.write(2, audio, 0, 1_000_000);
    const code = own.stop();
    await peer.when("GOODBYE", () => peer.goodbyes[0]);
    peer.create(3, "too-late");
    expect(await peer.errorOn(3)).toBe("SHUTTING_DOWN");
    await peer.write(1, audio, 1_000_000);
    expect((await peer.finish(1, audio.length)).sha256).toBe(sha256(audio));
    await peer.faultCode(10_000);
    expect([peer.closeCode, idle.closeCode]).toEqual([1001, 1001]);
    expect(peer.acked(2)).toEqual({ written: 1_000_000, durable: 1_000_000 });
    expect(await code).toBe(0);
    await own.restart();
    expect((await streamInfo(own.httpBase, "stays"))?.size).toBe(1_000_000);
    expect((await streamInfo(own.httpBase, "finishes"))?.state).toBe("finished");
  });
});

test("the error of a rejected channel is counted by its gateway", async () => {
  using peer = await V1Peer.open(server.url);
  peer.send({ type: "INFO", channel: 1, streamId: "nobody" });
  await peer.errorOn(1);
  const text = await until("the error in the metrics", 5000, async () => {
    const metrics = await (await fetch(`${server.httpBase}/metrics`)).text();
    return /door="v1".*STREAM_UNKNOWN|STREAM_UNKNOWN.*door="v1"/.test(metrics) && metrics;
  });
  expect(text).toMatch(/door="v1"/);
});
