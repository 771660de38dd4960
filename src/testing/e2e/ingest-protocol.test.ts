/** Live ingest on the wire: paths, close codes and reasons, and that a close affects only its own connection. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import {
  adpcmFormat,
  countingPayload,
  type DeviceFormat,
  frameMessage,
  handshakeMessage,
  IngestDevice,
  isCounting,
  pcmFormat,
} from "../harness/peers/ingest-device.ts";
import { RawWebSocket } from "../harness/peers/raw-websocket.ts";
import { joinedSamples, recordedSegments } from "../harness/recorded-files.ts";
import { TestServer } from "../harness/server.ts";
import { testLimitMs, until } from "../harness/until.ts";
import { encodeFrame, opcodes } from "../harness/peers/websocket-frames.ts";

setDefaultTimeout(testLimitMs);

let server: TestServer;
let ingestBase: string;
beforeAll(async () => {
  server = await TestServer.start({ flags: { "ingest-port": 0 } });
  ingestBase = ingestBaseOf(server);
});
afterAll(async () => await server.dispose());

/** `http://host:port` of the separate ingest port. */
function ingestBaseOf(running: TestServer): string {
  const port = /ready .* ws:\/\/127\.0\.0\.1:(\d+)\/ws\b/.exec(running.log)?.[1];
  if (port === undefined) throw new Error(`no ingest port in: ${running.log}`);
  return `http://127.0.0.1:${port}`;
}

let streamIds = 1000;
const fresh = (format: DeviceFormat): DeviceFormat => ({ ...format, streamId: ++streamIds });
const received = () => join(server.folder, "received");
const ended = async (streamId: number) =>
  await until("the recording's end", 5000, () =>
    new RegExp(`recording ended streamId=${streamId} `).test(server.log),
  );

/** The recordings of a device, once its recording has ended. */
async function recorded(streamId: number, device: string) {
  await ended(streamId);
  return recordedSegments(join(received(), device));
}

async function open(path: string, base = server.httpBase): Promise<RawWebSocket> {
  return await RawWebSocket.open(`${base.replace("http", "ws")}${path}`);
}

/** Code and reason of the next frame, which must be a Close. */
async function closeOf(socket: RawWebSocket): Promise<string> {
  const { opcode, fin, payload } = await socket.next();
  expect([opcode, fin]).toEqual([opcodes.close, true]);
  return `${payload.readUInt16BE(0)} ${payload.toString("utf8", 2)}`;
}

describe("the paths", () => {
  test("are the same on the main port and on the ingest port", async () => {
    for (const base of [server.httpBase, ingestBase]) {
      for (const path of ["/ws", "/ws/", "/ws/mic-1", "/ws/echo", "/ws?x=1"]) {
        using socket = await open(path, base);
        expect(socket.response.status).toBe(101);
        expect(socket.response.headers.get("sec-websocket-extensions")).toBeUndefined();
      }
      for (const path of ["/ws", "/ws/mic-1", "/ws/echo"]) {
        expect((await fetch(base + path)).status).toBe(400);
      }
      using none = await open("/ws/a/b", base);
      expect(none.response.status).toBe(404);
    }
    using audio = await open("/audio", ingestBase);
    expect(audio.response.status).toBe(404);
  });

  test("of echo return texts and bytes, whole and in order", async () => {
    using socket = await open("/ws/echo");
    const large = Buffer.alloc(300_000, "x");
    socket.text("grüße");
    socket.binary(Buffer.from([0, 1, 255]));
    socket.text("");
    socket.binary(large);
    const frames = [await socket.next(), await socket.next(), await socket.next(), await socket.next()];
    expect(frames.map((frame) => frame.opcode)).toEqual([1, 2, 1, 2]);
    expect(frames[0]!.payload.toString()).toBe("grüße");
    expect(frames[1]!.payload).toEqual(Buffer.from([0, 1, 255]));
    expect(frames[2]!.payload.length).toBe(0);
    expect(frames[3]!.payload.equals(large)).toBe(true);
  });

  test("of echo apply backpressure to a peer that does not read", async () => {
    using socket = await open("/ws/echo");
    socket.pause();
    // Far more than the kernel buffers in both directions.
    const piece = Buffer.alloc(512 * 1024, "x");
    const pieces = 128;
    for (let index = 0; index < pieces; index++) socket.binary(piece);
    let unsent = -1;
    let unchanged = 0;
    await until("the server to stop reading", 10_000, () => {
      unchanged = socket.unsentBytes === unsent ? unchanged + 1 : 0;
      unsent = socket.unsentBytes;
      return unsent > 0 && unchanged >= 20;
    });
    socket.resume();
    for (let index = 0; index < pieces; index++) {
      expect((await socket.next()).payload.equals(piece)).toBe(true);
    }
  });

  test("of POST return the body as bytes, which no browser takes for a page", async () => {
    for (const base of [server.httpBase, ingestBase]) {
      const body = new Uint8Array([1, 2, 3, 0, 255]);
      const response = await fetch(`${base}/echo`, {
        method: "POST",
        body,
        headers: { "content-type": "text/html" },
      });
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toBe("application/octet-stream");
      expect(new Uint8Array(await response.arrayBuffer())).toEqual(body);
      expect((await fetch(`${base}/echo`)).status).toBe(405);
    }
  });
});

function patched(message: Buffer, at: number, ...bytes: number[]): Buffer {
  const copy = Buffer.from(message);
  copy.set(bytes, at);
  return copy;
}

describe("a close", () => {
  const shaken = handshakeMessage(adpcmFormat);
  const good = frameMessage(1, 0, Buffer.alloc(164));
  const cases: [name: string, messages: (Buffer | string)[], close: string][] = [
    ["a text", ["hello"], "1003 binary required"],
    ["a text behind a handshake", [shaken, "hello"], "1003 binary required"],
    ["a short handshake", [shaken.subarray(0, 31)], "1008 invalid handshake"],
    ["an empty message", [Buffer.alloc(0)], "1008 invalid handshake"],
    ["another magic", [patched(shaken, 0, 0x44)], "1008 invalid handshake"],
    ["another version", [patched(shaken, 4, 2)], "1008 invalid handshake"],
    ["a frame before a handshake", [good], "1008 invalid handshake"],
    ["a short frame", [shaken, good.subarray(0, 11)], "1008 invalid audio frame"],
    ["a frame with a wrong length", [shaken, patched(good, 4, 163)], "1008 invalid audio frame"],
    ["a frame with another magic", [shaken, patched(good, 0, 0)], "1008 invalid audio frame"],
    ["a second handshake", [shaken, shaken], "1008 invalid audio frame"],
    [
      "a frame of the other codec",
      [shaken, frameMessage(0, 0, Buffer.alloc(640))],
      "1008 frame codec mismatch",
    ],
    [
      "a frame behind an unknown codec",
      [handshakeMessage({ ...adpcmFormat, codec: 2 }), good],
      "1008 frame codec mismatch",
    ],
    ["a frame of 3 bytes", [shaken, frameMessage(1, 0, Buffer.alloc(3))], "1008 frame payload size invalid"],
    ["an overlong frame", [shaken, frameMessage(1, 0, Buffer.alloc(181))], "1008 frame payload size invalid"],
    [
      "half a sample",
      [handshakeMessage(pcmFormat), frameMessage(0, 0, Buffer.alloc(639))],
      "1008 frame payload size invalid",
    ],
  ];
  for (const [name, messages, close] of cases) {
    test(`answers ${name} with ${close}`, async () => {
      using socket = await open("/ws");
      for (const message of messages) {
        if (typeof message === "string") socket.text(message);
        else socket.binary(message);
      }
      expect(await closeOf(socket)).toBe(close);
    });
  }

  test("answers a frame of more than 1 MiB with 1009", async () => {
    const format = { ...pcmFormat, channels: 32, frameSamples: 65535 };
    using socket = await open("/ws");
    socket.binary(handshakeMessage(format));
    socket.binary(frameMessage(0, 0, Buffer.alloc(64 * 20_000)));
    expect(await closeOf(socket)).toBe("1009 message is larger than allowed");
  });

  test("of a peer is answered with the same code", async () => {
    using socket = await open("/ws");
    socket.close(1000, "bye");
    expect(await closeOf(socket)).toBe("1000 bye");
    await socket.ended;
  });

  test("for a bad frame keeps the frames before it, and affects no other connection", async () => {
    const formats = [fresh(pcmFormat), fresh(pcmFormat)] as const;
    using good = await IngestDevice.open(server.httpBase, formats[0], "undisturbed");
    using bad = await IngestDevice.open(server.httpBase, formats[1], "disturber");
    for (let frame = 0; frame < 100; frame++) {
      good.send(countingPayload(frame * 320, 320));
      if (frame < 50) bad.send(countingPayload(frame * 320, 320));
      if (frame === 50) bad.socket.binary(Buffer.from("nonsense"));
    }
    expect(await bad.closed()).toEqual({ code: 1008, reason: "invalid audio frame" });
    await good.close();
    for (const [index, frames] of [100, 50].entries()) {
      const device = index === 0 ? "undisturbed" : "disturber";
      const segments = await recorded(formats[index]!.streamId, device);
      const samples = joinedSamples(segments);
      expect(samples.length).toBe(frames * 320);
      expect(isCounting(samples)).toBe(true);
    }
  });

  test("does not happen for sequence gaps, short last frames or fragmented messages", async () => {
    const format = fresh(pcmFormat);
    using device = await IngestDevice.open(server.httpBase, format, "gaps");
    device.send(countingPayload(0, 320));
    device.seq = 40;
    device.send(countingPayload(320, 320));
    const message = frameMessage(0, 41, countingPayload(640, 100));
    const mask = Buffer.from([1, 2, 3, 4]);
    device.socket.write(encodeFrame({ opcode: 2, fin: false, payload: message.subarray(0, 5), mask }));
    device.socket.write(encodeFrame({ opcode: 0, fin: false, payload: message.subarray(5, 20), mask }));
    device.socket.write(encodeFrame({ opcode: 0, fin: true, payload: message.subarray(20), mask }));
    await device.close();
    const segments = await recorded(format.streamId, "gaps");
    expect(isCounting(joinedSamples(segments))).toBe(true);
    expect(joinedSamples(segments).length).toBe(740);
    await server.untilLogged(/frames were lost .*gaps=1 lostFrames=39/);
  });
});

describe("a hardware id", () => {
  const hostile: [path: string, folder: string | undefined][] = [
    ["AA:BB:CC.1", "AA_BB_CC_1"],
    ["..%2f..%2fetc%2fpasswd", "____etcpasswd"],
    ["%2e%2e%2e", "___"],
    ["a%00b%0ac", "abc"],
    ["%5c%5cserver%5cshare", "servershare"],
    ["k%C3%BCche", "küche"],
    ["%", undefined],
    ["%ff%fe", "fffe"],
    ["%F0%9F%8E%A4", undefined],
    ["x".repeat(500), "x".repeat(128)],
  ];
  for (const [path, folder] of hostile) {
    test(`${path.slice(0, 40)} is recorded under ${folder?.slice(0, 40) ?? "no device"}, and nowhere else`, async () => {
      const format = fresh(pcmFormat);
      using socket = await open(`/ws/${path}`);
      expect(socket.response.status).toBe(101);
      socket.binary(handshakeMessage(format));
      socket.binary(frameMessage(0, 0, countingPayload(0, 320)));
      socket.close(1000);
      await ended(format.streamId);
      const name = `stream_${format.streamId}_${folder === undefined ? "" : `${folder}_`}`;
      // Audio, packets, peaks and levels.
      const own = await until("four files", 5_000, () => {
        const files = readdirSync(received(), { recursive: true }).map(String);
        const found = files.filter((file) => file.includes(`stream_${format.streamId}_`)).sort();
        return found.length === 4 && found;
      });
      const prefix = folder === undefined ? name : `${folder}/${name}`;
      for (const file of own) expect(file.slice(prefix.length)).toMatch(/^\d{8}_\d{6}\.(bin|dat|lvl|wav)$/);
      for (const file of own) expect(file).toStartWith(prefix);
      expect(readdirSync(server.folder).sort()).toEqual(["cache", "library", "received"]);
    });
  }

  test("with dot segments makes another path", async () => {
    using socket = await open("/ws/x", server.httpBase);
    expect(socket.response.status).toBe(101);
    using other = await RawWebSocket.open(server.url, { path: "/ws/../../etc/passwd" });
    expect(other.response.status).toBe(404);
    expect(existsSync(join(server.folder, "etc"))).toBe(false);
  });
});

test("the connections of both ports share one limit", async () => {
  await using small = await TestServer.start({ flags: { "ingest-port": 0, "max-connections": 2 } });
  const other = ingestBaseOf(small);
  using first = await open("/ws", small.httpBase);
  using second = await open("/ws", other);
  expect([first.response.status, second.response.status]).toEqual([101, 101]);
  // A connection that has sent nothing would make room.
  for (const socket of [first, second]) socket.binary(handshakeMessage(pcmFormat));
  for (const base of [small.httpBase, other]) {
    using third = await open("/ws", base);
    expect(third.response.status).toBe(503);
  }
  second.close(1000);
  await second.ended;
  await until("room for a connection", 5000, async () => {
    using again = await open("/ws", other);
    return again.response.status === 101;
  });
});
