import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { crc32 } from "node:zlib";
import { KiB, MiB } from "../../base/limits/units.ts";
import { encodeMessage } from "../../wire/v1/encode.ts";
import type { ClientMessage } from "../../wire/v1/messages.ts";
import { AudioCachePeer, freshId } from "../harness/peers/audio-cache.ts";
import { Random, sha256 } from "../harness/bytes.ts";
import { countingPayload, IngestDevice, isCounting, pcmFormat } from "../harness/peers/ingest-device.ts";
import { RawWebSocket } from "../harness/peers/raw-websocket.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { streamInfo } from "../harness/http/streams.ts";
import { until } from "../harness/until.ts";
import { plain, V1Peer, verified } from "../harness/peers/v1.ts";
import { encodeFrame, opcodes } from "../harness/peers/websocket-frames.ts";

useServers();

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
});
afterAll(() => server.dispose());

function framed(message: ClientMessage): Buffer {
  const mask = crypto.getRandomValues(new Uint8Array(4));
  return encodeFrame({ opcode: opcodes.binary, payload: encodeMessage(message), mask });
}

const audio = new Random(7).bytes(3 * MiB + 12_345);

describe("negotiation", () => {
  test("a client that offers the subprotocol among others gets it, on all three paths", async () => {
    for (const path of ["/audio", "/audio/", "/"]) {
      const headers = { "Sec-WebSocket-Protocol": "something.else, wavecache.v1" };
      using socket = await RawWebSocket.open(server.url, { path, headers });
      expect(socket.response.headers.get("sec-websocket-protocol")).toBe("wavecache.v1");
      expect((await socket.next()).payload.subarray(0, 2)).toEqual(Buffer.from([0x98, 0x01]));
    }
  });

  test("a client that does not offer it speaks the older protocol, unchanged", async () => {
    using socket = await RawWebSocket.open(server.url);
    expect(socket.response.headers.has("sec-websocket-protocol")).toBe(false);
    socket.text('{"type":"START","streamId":"older"}');
    expect((await socket.next()).payload.toString()).toContain('"type":"STARTED"');
  });
});

describe("streams", () => {
  test("a written stream can be read whole, by range, and by the older protocol", async () => {
    using peer = await V1Peer.open(server.url);
    const id = freshId("whole");
    const end = await peer.upload(1, id, audio);
    expect(end).toMatchObject({ outcome: "finished", size: audio.length, sha256: sha256(audio) });
    const whole = await peer.read(2, id);
    expect(whole.opened).toMatchObject({ streamId: id, offset: 0, size: audio.length });
    expect(whole.end).toMatchObject({ outcome: "finished", size: audio.length, sha256: sha256(audio) });
    expect(sha256(whole.audio)).toBe(sha256(audio));
    const range = await peer.read(2, id, 1_000_001, 200_003);
    expect(sha256(range.audio)).toBe(sha256(audio.subarray(1_000_001, 1_200_004)));
    const older = await AudioCachePeer.open(server.url);
    older.get(id, 5, 64 * KiB);
    const frame = await older.socket.next();
    expect(Buffer.compare(frame.payload, audio.subarray(5, 5 + 64 * KiB))).toBe(0);
    older.socket[Symbol.dispose]();
  });
});

const described = {
  contentType: "audio/x-test",
  format: { codec: "pcm_s16le", sampleRate: 48_000, channels: 2 },
  tags: { title: "a little noise" },
};

describe("the metadata of a stream", () => {
  test("is in lists, in OPENED, and in the HTTP API", async () => {
    using peer = await V1Peer.open(server.url);
    const id = freshId("described");
    await peer.upload(1, id, audio.subarray(0, 100), described);
    peer.send({ type: "INFO", channel: 1, streamId: id });
    const { streams } = await peer.expect(1, "STREAMS");
    expect(streams).toMatchObject([{ streamId: id, state: "finished", size: 100, metadata: described }]);
    expect((await peer.read(1, id)).opened.metadata).toEqual(described);
    expect((await streamInfo(server.httpBase, id))?.metadata).toEqual(described);
  });

  test("does not change when the stream is resumed", async () => {
    using peer = await V1Peer.open(server.url);
    const id = freshId("kept");
    peer.create(1, id, described);
    await peer.write(1, audio.subarray(0, 10));
    peer.send({ type: "CLOSE", channel: 1, discard: false });
    expect(await peer.lastWord(1)).toMatchObject({ outcome: "unfinished", size: 10 });
    expect(await peer.resume(2, id)).toMatchObject({ offset: 10, size: undefined, metadata: described });
  });

  test("has the detected content type if the client gave none", async () => {
    using peer = await V1Peer.open(server.url);
    const id = freshId("sniffed");
    const flac = Buffer.concat([Buffer.from("fLaC\0\0\0\x22"), Buffer.alloc(60)]);
    await peer.upload(1, id, flac);
    expect((await peer.read(1, id)).opened.metadata.contentType).toBe("audio/flac");
  });
});

describe("lists", () => {
  test("come in pages, ordered by id", async () => {
    using peer = await V1Peer.open(server.url);
    const ids = ["a", "b", "c"].map((name) => `~page-${name}`.replace("~", "zz-"));
    for (const id of ids) await peer.upload(1, id, audio.subarray(0, 3));
    const found: string[] = [];
    for (let after: string | undefined = "zz-"; after !== undefined;) {
      peer.send({ type: "LIST", channel: 1, filter: "finished", after, limit: 2 });
      const page = await peer.expect(1, "STREAMS");
      found.push(...page.streams.map(({ streamId }) => streamId));
      after = page.next;
    }
    expect(found).toEqual(ids);
  });

  test("and removals fail with the errors of the table", async () => {
    using peer = await V1Peer.open(server.url);
    peer.send({ type: "INFO", channel: 1, streamId: "nobody" });
    expect(await peer.errorOn(1)).toBe("STREAM_UNKNOWN");
    peer.send({ type: "REMOVE", channel: 1, streamId: "nobody" });
    expect(await peer.errorOn(1)).toBe("STREAM_UNKNOWN");
    const id = freshId("removed");
    peer.create(2, id);
    await peer.expect(2, "OPENED");
    peer.send({ type: "REMOVE", channel: 1, streamId: id });
    expect(await peer.errorOn(1)).toBe("STREAM_UNFINISHED");
    await peer.finish(2, 0);
    peer.send({ type: "REMOVE", channel: 1, streamId: id });
    expect(await peer.lastWord(1)).toMatchObject({ type: "END", outcome: "removed" });
    peer.send({ type: "READ", channel: 1, streamId: id, offset: 0, length: undefined });
    expect(await peer.errorOn(1)).toBe("STREAM_UNKNOWN");
  });
});

describe("writing", () => {
  test("an invalid message ends the channel and does not change the stream", async () => {
    using peer = await V1Peer.open(server.url);
    const id = freshId("wrong");
    peer.create(1, id);
    peer.data(1, 0, audio.subarray(0, 1000));
    peer.data(1, 1000, audio.subarray(1000, 2000), 12345);
    peer.data(1, 2000, audio.subarray(2000, 3000));
    expect(await peer.errorOn(1)).toBe("CHECKSUM_WRONG");
    expect((await peer.resume(1, id)).offset).toBe(1000);
    peer.data(1, 999, audio.subarray(999, 1500));
    expect(await peer.errorOn(1)).toBe("OFFSET_WRONG");
    expect((await peer.resume(1, id)).offset).toBe(1000);
    peer.send({ type: "FINISH", channel: 1, size: 1001 });
    expect(await peer.errorOn(1)).toBe("OFFSET_WRONG");
    await peer.resume(1, id);
    await peer.write(1, audio, 1000);
    expect(await peer.finish(1, audio.length)).toMatchObject({ sha256: sha256(audio) });
  });

  test("audio before the answer to a resume is rejected", async () => {
    using peer = await V1Peer.open(server.url);
    const early = audio.subarray(0, 10);
    // In one write, so that the audio arrives before the answer can.
    peer.socket.write(
      Buffer.concat([
        framed({ type: "WRITE", channel: 1, streamId: freshId("early"), mode: "resume", metadata: plain }),
        framed({ type: "DATA", channel: 1, offset: 0, crc: crc32(early), payload: early }),
      ]),
    );
    expect(await peer.errorOn(1)).toBe("OFFSET_WRONG");
  });

  test("an id in use is rejected; an id that the server chooses is free", async () => {
    using peer = await V1Peer.open(server.url);
    const id = freshId("used");
    await peer.upload(1, id, audio.subarray(0, 10));
    peer.create(1, id);
    peer.data(1, 0, audio.subarray(0, 10));
    expect(await peer.errorOn(1)).toBe("STREAM_EXISTS");
    peer.create(1, "not an id");
    expect(await peer.errorOn(1)).toBe("BAD_STREAM_ID");
    peer.create(1, undefined);
    const { streamId } = await peer.expect(1, "OPENED");
    await peer.write(1, audio.subarray(0, 10));
    await peer.finish(1, 10);
    expect((await peer.read(1, streamId)).audio).toHaveLength(10);
  });

  test("a stream whose END was lost can be finished again", async () => {
    using peer = await V1Peer.open(server.url);
    const id = freshId("again");
    await peer.upload(1, id, audio);
    expect(await peer.resume(1, id)).toMatchObject({ offset: audio.length, size: audio.length });
    expect(await peer.finish(1, audio.length)).toMatchObject({ outcome: "finished", sha256: sha256(audio) });
  });

  test("a discarded upload is gone, and its id is free", async () => {
    using peer = await V1Peer.open(server.url);
    const id = freshId("discarded");
    peer.create(1, id);
    await peer.write(1, audio);
    peer.send({ type: "CLOSE", channel: 1, discard: true });
    expect(await peer.lastWord(1)).toMatchObject({ outcome: "removed" });
    expect(await streamInfo(server.httpBase, id)).toBeUndefined();
    expect(await peer.upload(1, id, audio.subarray(5))).toMatchObject({ size: audio.length - 5 });
  });

  test("a resume takes the stream over from its writer, on either protocol", async () => {
    using first = await V1Peer.open(server.url);
    using second = await V1Peer.open(server.url);
    const id = freshId("taken");
    first.create(1, id);
    await first.expect(1, "OPENED");
    await first.write(1, audio.subarray(0, 5000));
    const { offset } = await second.resume(9, id);
    expect(await first.errorOn(1)).toBe("STREAM_TAKEN_OVER");
    await second.write(9, audio, offset, 9000);
    const older = await AudioCachePeer.open(server.url);
    older.send({ type: "START", streamId: id, resume: true });
    expect((await older.socket.next()).payload.toString()).toContain('"STARTED"');
    expect(await second.errorOn(9)).toBe("STREAM_TAKEN_OVER");
    older.socket[Symbol.dispose]();
  });

  test("is acknowledged as written and as durable while it is in progress", async () => {
    using peer = await V1Peer.open(server.url);
    peer.create(1, freshId("acked"));
    await peer.write(1, audio);
    await peer.untilDurable(1, audio.length);
    expect(peer.acked(1).written).toBe(audio.length);
  });
});

describe("reading", () => {
  test("of an unfinished stream returns its bytes so far; past an end there is no data", async () => {
    using peer = await V1Peer.open(server.url);
    const id = freshId("partly");
    peer.create(1, id);
    await peer.write(1, audio.subarray(0, 70_000));
    const partly = await peer.read(2, id, 10);
    expect(partly.opened.size).toBeUndefined();
    expect(partly.end).toMatchObject({ outcome: "unfinished", size: 70_000, sha256: undefined });
    expect(sha256(partly.audio)).toBe(sha256(audio.subarray(10, 70_000)));
    peer.send({ type: "READ", channel: 2, streamId: id, offset: 70_001, length: undefined });
    expect(await peer.errorOn(2)).toBe("NO_DATA");
    await peer.finish(1, 70_000);
    expect((await peer.read(2, id, 70_000)).end).toMatchObject({ outcome: "finished" });
  });

  test("ends when the reader closes, and its channel number can be reused", async () => {
    using peer = await V1Peer.open(server.url, { channelCredit: 1000 });
    const id = freshId("closed");
    await peer.upload(1, id, audio);
    peer.send({ type: "READ", channel: 3, streamId: id, offset: 0, length: undefined });
    expect((await peer.expect(3, "OPENED")).size).toBe(audio.length);
    peer.send({ type: "CLOSE", channel: 3, discard: false });
    expect(await peer.lastWord(3)).toMatchObject({ outcome: "cancelled" });
    expect((await peer.read(3, id, 7, 900)).audio).toHaveLength(900);
  });
});

describe("following", () => {
  test("gets an upload from an offset as it grows, across a change of its writer, up to its end", async () => {
    using writer = await V1Peer.open(server.url);
    using peer = await V1Peer.open(server.url);
    const id = freshId("followed");
    writer.create(1, id);
    await writer.write(1, audio, 0, 100_000);
    peer.send({ type: "FOLLOW", channel: 1, source: "stream", name: id, offset: 50_000 });
    const all = peer.collect(1);
    await writer.write(1, audio, 100_000, 500_000);
    using other = await V1Peer.open(server.url);
    const { offset } = await other.resume(5, id);
    await other.write(5, audio, offset);
    await other.finish(5, audio.length);
    const followed = await all;
    expect(followed.end).toMatchObject({ outcome: "finished", size: audio.length, sha256: sha256(audio) });
    expect(sha256(followed.audio)).toBe(sha256(audio.subarray(50_000)));
  });

  test("ends when the upload is interrupted, and reports when it is discarded", async () => {
    for (const discard of [false, true]) {
      using writer = await V1Peer.open(server.url);
      using peer = await V1Peer.open(server.url);
      const id = freshId("left");
      writer.create(1, id);
      await writer.write(1, audio, 0, 1000);
      await writer.expect(1, "OPENED");
      peer.send({ type: "FOLLOW", channel: 1, source: "stream", name: id, offset: undefined });
      await peer.expect(1, "OPENED");
      writer.send({ type: "CLOSE", channel: 1, discard });
      expect(await peer.lastWord(1)).toMatchObject({ outcome: discard ? "removed" : "unfinished" });
    }
  });

  test("of a stream that is not being uploaded returns its bytes and ends", async () => {
    using peer = await V1Peer.open(server.url);
    const id = freshId("finished");
    await peer.upload(1, id, audio.subarray(0, 2000));
    peer.send({ type: "FOLLOW", channel: 1, source: "stream", name: id, offset: 500 });
    const { audio: got, end } = await peer.collect(1);
    expect(got).toHaveLength(1500);
    expect(end).toMatchObject({ outcome: "finished", size: 2000 });
    peer.send({ type: "FOLLOW", channel: 1, source: "stream", name: "nobody", offset: undefined });
    expect(await peer.errorOn(1)).toBe("STREAM_UNKNOWN");
  });

  test("of a recording describes its samples, and skips audio without credit", async () => {
    using device = await IngestDevice.open(server.httpBase, pcmFormat, "v1-follower");
    using peer = await V1Peer.open(server.url, { channelCredit: 3000 });
    const follow = { type: "FOLLOW", source: "recording", name: "v1-follower", offset: undefined } as const;
    const followers = [new Heard(peer, 1), new Heard(peer, 2)] as const;
    const [starved, fed] = followers;
    let sent = 0;
    const sendFrame = (): void => {
      device.send(countingPayload(sent * pcmFormat.frameSamples, pcmFormat.frameSamples));
      sent += 1;
    };
    sendFrame();
    for (const { channel } of followers) {
      const opened = await until("the recording to be known", 5000, async () => {
        peer.send({ ...follow, channel });
        const answer = await peer.next(channel);
        return answer.type === "OPENED" && answer;
      });
      expect(opened.metadata.format).toEqual({ codec: "pcm_s16le", sampleRate: 16_000, channels: 1 });
    }
    peer.grant(fed.channel, 1_000_000);
    // The follower with credit has received what the other one has missed.
    await until("the credit to be used up, and audio after that", 10_000, () => {
      sendFrame();
      return starved.take() === 3000 && fed.take() > 10_000;
    });
    const missedFrom = starved.end;
    peer.grant(starved.channel, 1_000_000);
    await until("audio behind a jump", 10_000, () => {
      sendFrame();
      starved.take();
      return starved.end > missedFrom;
    });
    expect(starved.bytes).toBeLessThan(starved.end);
    await device.close();
    for (const { channel } of followers) {
      expect(await peer.lastWord(channel, 10_000)).toMatchObject({ outcome: "ended" });
    }
  });
});

/** What one follower of a recording with counting samples has received. */
class Heard {
  readonly channel: number;
  readonly #peer: V1Peer;
  bytes = 0;
  /** The end of the last piece. */
  end = 0;

  constructor(peer: V1Peer, channel: number) {
    this.#peer = peer;
    this.channel = channel;
  }

  /** Reads what has arrived; returns the total. */
  take(): number {
    for (let next = this.#peer.poll(this.channel); next !== undefined; next = this.#peer.poll(this.channel)) {
      if (next.type !== "DATA") continue;
      const samples = new Int16Array(new Uint8Array(verified(next)).buffer);
      expect(isCounting(samples, samples[0])).toBe(true);
      this.bytes += next.payload.length;
      this.end = next.offset + next.payload.length;
    }
    return this.bytes;
  }
}
