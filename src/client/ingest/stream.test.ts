import { describe, expect, test } from "bun:test";
import { failureOf, FakeSocket, quickRetry, rejectionOf } from "../../testing/fixtures/client.ts";
import { until } from "../../testing/harness/until.ts";
import {
  handshakeFrom,
  handshakeOfTrack,
  heardFrom,
  heardIn,
  messagesOf,
  mockIngestServers,
  trackOf,
} from "../../testing/fixtures/ingest.ts";
import { deadAddress } from "../../testing/mocks/servers.ts";
import { melody, roughness } from "../../testing/fixtures/wav.ts";
import { bunPlatform } from "../transport/bun.ts";
import { type IngestOptions, IngestStream } from "./stream.ts";
import type { FrameTrack } from "./track.ts";

const mock = mockIngestServers();

function streamTo(url: string, track: FrameTrack, options: Partial<IngestOptions> = {}): IngestStream {
  return new IngestStream({ platform: bunPlatform, url, track, streamId: 7, retry: quickRetry, ...options });
}

/** More than the kernel buffers while the peer does not read. */
const long = roughness(12_000_000);

const seqs = (frames: readonly { seq: number }[]) => frames.map(({ seq }) => seq);

describe("a stream", () => {
  test("is a handshake, then every frame byte by byte, then a close", async () => {
    const server = mock();
    const pcm = Int16Array.of(1, -2, 0x1234, -32768, 32767);
    const before = Date.now();
    const track = await trackOf(pcm, 1, { frameMs: 1 / 8 });
    const result = await streamTo(server.url, track, { streamId: 0xfedcba98 }).run();
    expect(result).toEqual({ ended: true, lostConnections: 0, close: { code: 1000, reason: "" } });
    const [device] = server.devices;
    const head = "43504441 0100 2000 98badcfe 803e0000 0100 0000 0200 0000";
    expect(device?.handshake?.toString("hex").slice(0, 48)).toBe(head.replaceAll(" ", ""));
    const { timestampMs } = handshakeFrom(device);
    expect(timestampMs).toBeWithin(before, Date.now() + 1);
    const shown = device?.frames.map(({ magic, length, seq, payload }) => [
      magic,
      length,
      seq,
      payload.toString("hex"),
    ]);
    expect(shown).toEqual([
      [0x464d4350, 4, 0, "0100feff"],
      [0x464d4350, 4, 1, "34120080"],
      [0x464d4350, 2, 2, "ff7f"],
    ]);
    expect(device?.odd).toEqual([]);
    await until("the close", 2_000, () => device?.closeCode === 1000);
  });

  for (const channels of [1, 2]) {
    for (const codec of ["pcm", "adpcm"] as const) {
      test(`of ${codec} with ${channels} channels arrives as it was encoded`, async () => {
        const server = mock();
        const track = await trackOf(melody(50_001, channels), channels, { codec });
        const stream = streamTo(server.url, track);
        await stream.run();
        expect(heardFrom(server.devices[0])).toEqual(
          heardIn(await messagesOf(track), handshakeOfTrack(track)),
        );
        expect(server.devices[0]?.frames[0]?.magic).toBe(codec === "pcm" ? 0x464d4350 : 0x41445046);
        expect(stream).toMatchObject({
          frames: server.devices[0]?.frames.length,
          samples: 50_001,
          state: "over",
        });
      });
    }
  }

  test("shares its frames with others, each with its own sequence numbers", async () => {
    const server = mock({ cutAfterFrames: [3] });
    const pcm = roughness(40 * 320);
    const track = await trackOf(pcm, 1);
    await Promise.all([1, 2, 3].map((streamId) => streamTo(server.url, track, { streamId }).run()));
    const whole = server.devices.filter(({ frames }) => frames.length === 40);
    expect(whole.length).toBeGreaterThanOrEqual(2);
    for (const device of whole) {
      expect(heardFrom(device)).toEqual(pcm);
      expect(seqs(device.frames)).toEqual(Array.from({ length: 40 }, (_, n) => n));
    }
  });

  test("without any sample is a handshake and a close", async () => {
    const server = mock();
    const track = await trackOf(new Int16Array(0), 1);
    expect(await streamTo(server.url, track).run()).toMatchObject({ ended: true, close: { code: 1000 } });
    expect(handshakeFrom(server.devices[0]).streamId).toBe(7);
    expect(server.devices[0]?.frames).toEqual([]);
  });

  test("ignores messages of the server", async () => {
    const server = mock({ chats: true });
    const track = await trackOf(melody(320 * 500, 1), 1);
    expect((await streamTo(server.url, track).run()).ended).toBe(true);
  });
});

describe("a stream fails with the reason of the close", () => {
  for (const [code, reason] of [
    [1008, "invalid audio frame"],
    [1003, "binary required"],
  ] as const) {
    test(`${code} ${reason}`, async () => {
      const server = mock({ refuses: { code, reason } });
      const track = await trackOf(melody(320 * 1000, 1), 1);
      const failure = await failureOf(streamTo(server.url, track, { realtime: true }).run());
      expect(failure).toMatchObject({
        code: "REFUSED",
        message: `the server refused: closed with ${code} (${reason})`,
      });
      expect(server.devices.length).toBe(1);
    });
  }

  test("if it crosses the client's close", async () => {
    const server = mock({ closesAfter: { frames: 1, code: 1008, reason: "invalid audio frame" } });
    const failure = await failureOf(streamTo(server.url, await trackOf(melody(320, 1), 1)).run());
    expect(failure.message).toContain("1008 (invalid audio frame)");
  });

  test("but other closes at the end are results, and do not count as an answer", async () => {
    const server = mock({ closesAfter: { frames: 1, code: 1011, reason: "storage failed" } });
    const result = await streamTo(server.url, await trackOf(melody(320, 1), 1)).run();
    expect(result.close).toEqual({ code: 1011, reason: "storage failed" });
  });
});

describe("a lost connection", () => {
  test("is replaced with a new handshake, and the sequence continues", async () => {
    const server = mock({ cutAfterFrames: [4, 3] });
    const pcm = melody(20 * 320, 1);
    const track = await trackOf(pcm, 1);
    const events: number[] = [];
    const options = { realtime: true, onRetry: ({ retry }: { retry: number }) => void events.push(retry) };
    const result = await streamTo(server.url, track, options).run();
    expect(result).toMatchObject({ ended: true, lostConnections: 2, close: { code: 1000 } });
    expect(events).toEqual([1, 2]);
    expect(server.devices.map((device) => handshakeFrom(device).streamId)).toEqual([7, 7, 7]);
    const all = server.devices.flatMap(({ frames }) => seqs(frames));
    expect(all.slice(0, 4)).toEqual([0, 1, 2, 3]);
    expect(all).toEqual([...new Set(all)].sort((a, b) => a - b));
    expect(all.at(-1)).toBe(19);
    const last = server.devices[2]?.frames.at(-1);
    expect(last?.payload).toEqual(Buffer.from(pcm.buffer, 19 * 640, 640));
  });

  test("sends the frames again that had not left", async () => {
    const sent: number[][] = [];
    const sockets: FakeSocket[] = [];
    const openSocket = () => {
      const own: number[] = [];
      sent.push(own);
      const socket = new FakeSocket((self, data) => {
        if (data.length === 32) return;
        own.push(new DataView((data as Uint8Array).slice().buffer).getUint32(8, true));
        if (sent.length > 1 || own.length < 10) return;
        // Three and a half of the ten frames have not left.
        self.bufferedAmount = 3.5 * 660;
        self.fire("close", { code: 1006, reason: "" });
      });
      sockets.push(socket);
      return socket;
    };
    const platform = { openSocket, newDigest: bunPlatform.newDigest };
    const running = streamTo("ws://fake/", await trackOf(melody(320 * 12, 1), 1), { platform }).run();
    sockets[0]?.fire("open");
    await until("the second connection", 2_000, () => sockets.length === 2);
    sockets[1]?.fire("open");
    expect(await running).toMatchObject({ ended: true, lostConnections: 1 });
    expect(sent).toEqual([
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
      [7, 8, 9, 10, 11],
    ]);
  });

  test("is final after the policy's retries, however many frames each connection sent", async () => {
    const server = mock({ refuses: { code: 1013, reason: "disk is full" } });
    const track = await trackOf(melody(320 * 500, 1), 1);
    const retry = { ...quickRetry, retries: 3 };
    const failure = await failureOf(streamTo(server.url, track, { retry, realtime: true }).run());
    expect(failure).toMatchObject({ code: "CONNECTION_LOST", detail: "disk is full" });
    expect(server.devices.length).toBe(4);
  });

  test("restarts the count if the connection had been stable", async () => {
    const server = mock({ cutAfterFrames: [2, 2, 2, 2, 2] });
    const track = await trackOf(melody(320 * 30, 1), 1);
    const options = {
      realtime: true,
      retry: { ...quickRetry, retries: 1 },
      limits: { stableConnectionMs: 5 },
    };
    expect((await streamTo(server.url, track, options).run()).lostConnections).toBe(5);
  });

  test("does not count failed attempts to connect", async () => {
    let opened = 0;
    const openSocket = () => {
      const socket = new FakeSocket();
      const event = ++opened < 4 ? "close" : "open";
      setTimeout(() => socket.fire(event, { code: 1006, reason: "" }));
      return socket;
    };
    const platform = { openSocket, newDigest: bunPlatform.newDigest };
    const result = await streamTo("ws://fake/", await trackOf(melody(320, 1), 1), { platform }).run();
    expect(result.lostConnections).toBe(0);
    expect(opened).toBe(4);
  });

  test("that never opens is an error after the retries", async () => {
    const stream = streamTo(deadAddress(), await trackOf(melody(320, 1), 1), {
      retry: { ...quickRetry, retries: 2 },
    });
    expect((await failureOf(stream.run())).code).toBe("UNREACHABLE");
    expect(stream.frames).toBe(0);
  });
});

describe("backpressure", () => {
  test("pauses a stream while the server does not read, buffers little, and loses nothing", async () => {
    const server = mock({ pauses: true });
    const track = await trackOf(long, 1, { frameMs: 500 });
    const stream = streamTo(server.url, track);
    const running = stream.run();
    let frames = -1;
    await until("a standstill", 5_000, async () => {
      const before = frames;
      await Bun.sleep(100);
      frames = stream.frames;
      return frames > 0 && frames === before;
    });
    // The kernel's buffers, and 256 KiB.
    expect(stream.bytes).toBeLessThan(12_000_000);
    server.release();
    expect((await running).ended).toBe(true);
    expect(heardFrom(server.devices[0])).toEqual(long);
  });

  test("is a lost connection if it never ends", async () => {
    const server = mock({ pauses: true });
    const track = await trackOf(long, 1, { frameMs: 500 });
    const options = { limits: { stallTimeoutMs: 50 }, retry: { ...quickRetry, retries: 0 } };
    const failure = await failureOf(streamTo(server.url, track, options).run());
    expect(failure.message).toContain("accepts no data");
  });
});

describe("stopping", () => {
  test("ends with the current frame and a close, and reports that the track has not ended", async () => {
    const server = mock();
    const stop = new AbortController();
    const track = await trackOf(melody(999, 1), 1, {}, { loop: true });
    const stream = streamTo(server.url, track, { stop: stop.signal, realtime: true });
    const running = stream.run();
    await until("some frames", 5_000, () => stream.frames > 3);
    stop.abort(new Error("enough"));
    expect(await running).toEqual({ ended: false, lostConnections: 0, close: { code: 1000, reason: "" } });
    expect(server.devices[0]?.frames.length).toBe(stream.frames);
  });

  test("ends the wait between retries, and a stream that has not begun, with the reason", async () => {
    const stop = new AbortController();
    const track = await trackOf(melody(999, 1), 1);
    const retry = { retries: 9, firstDelayMs: 60_000, maxDelayMs: 60_000 };
    const stopping = {
      stop: stop.signal,
      retry,
      onRetry: () => void setTimeout(() => stop.abort(new Error("enough"))),
    };
    expect(await rejectionOf(streamTo(deadAddress(), track, stopping).run())).toBe("enough");
    await until("the stop", 2_000, () => stop.signal.aborted);
    expect(await rejectionOf(streamTo(deadAddress(), track, stopping).run())).toBe("enough");
  });

  test("by an abort does not wait for the server", async () => {
    const server = mock({ pauses: true });
    const end = new AbortController();
    const track = await trackOf(long, 1, { frameMs: 500 });
    const stream = streamTo(server.url, track, { signal: end.signal });
    const running = stream.run();
    await until("some frames", 5_000, () => stream.frames > 3);
    end.abort(new Error("enough"));
    expect(await rejectionOf(running)).toBe("enough");
  });

  test("without the server's close is reported as that", async () => {
    class DeafSocket extends FakeSocket {
      override close(): void {}
    }
    const socket = new DeafSocket();
    const platform = { openSocket: () => socket, newDigest: bunPlatform.newDigest };
    const limits = { gracefulCloseTimeoutMs: 30 };
    const track = await trackOf(melody(100, 1), 1);
    const running = streamTo("ws://fake/", track, { platform, limits }).run();
    socket.fire("open");
    expect(await running).toEqual({ ended: true, lostConnections: 0, close: undefined });
  });
});
