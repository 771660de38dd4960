import { expect, test } from "bun:test";
import { AudioCachePeer } from "./audio-cache.ts";
import { Random, seeded } from "../bytes.ts";
import { RawWebSocket } from "./raw-websocket.ts";
import { until } from "../until.ts";
import { describeFrame, encodeFrame, FrameReader, opcodes, type Frame } from "./websocket-frames.ts";

interface EchoServer {
  url: string;
  closes: number[];
  [Symbol.dispose](): void;
}

/** Echoes every message; answers "flood" with 16 MiB in 256 frames. */
function startEchoServer(): EchoServer {
  const closes: number[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request, server) {
      if (new URL(request.url).pathname === "/audio" && server.upgrade(request)) return undefined;
      return new Response("not here", { status: 404 });
    },
    websocket: {
      sendPings: false,
      backpressureLimit: 64 * 1024 * 1024,
      message(socket, message) {
        if (message !== "flood") socket.send(message);
        else for (let frame = 0; frame < 256; frame++) socket.send(new Uint8Array(65536).fill(frame));
      },
      close(_socket, code) {
        closes.push(code);
      },
    },
  });
  return {
    url: `ws://127.0.0.1:${server.port}/audio`,
    closes,
    [Symbol.dispose]: () => void server.stop(true),
  };
}

test("a handshake succeeds with the accept value of RFC 6455, also for the all-zero key", async () => {
  using server = startEchoServer();
  const headers = { "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==" };
  using socket = await RawWebSocket.open(server.url, { headers });
  expect(socket.response.status).toBe(101);
  expect(socket.response.headers.get("sec-websocket-accept")).toBe("ICX+Yqv66kxgM0FcWaLWlFLwTAI=");
});

test("a rejected handshake exposes its status", async () => {
  using server = startEchoServer();
  using socket = await RawWebSocket.open(server.url, { path: "/elsewhere" });
  expect(socket.response.status).toBe(404);
  await expect(AudioCachePeer.open(`${server.url}/elsewhere`)).rejects.toThrow("status 404");
});

test("frames with every encoding of the length are echoed unchanged", async () => {
  using server = startEchoServer();
  using socket = await RawWebSocket.open(server.url);
  for (const length of [0, 1, 125, 126, 127, 65535, 65536, 1024 * 1024]) {
    const payload = new Random(length).bytes(length);
    socket.binary(payload);
    const frame = await socket.next();
    expect(describeFrame(frame)).toStartWith(`binary of ${length} bytes`);
    expect(frame.payload.equals(payload)).toBe(true);
  }
});

test("fragments with a ping between them arrive as one message", async () => {
  using server = startEchoServer();
  using socket = await RawWebSocket.open(server.url);
  socket.frame({ opcode: opcodes.text, fin: false, payload: Buffer.from("one ") });
  socket.ping(Buffer.from("p"));
  socket.frame({ opcode: opcodes.continuation, payload: Buffer.from("two") });
  expect(describeFrame(await socket.next())).toStartWith("pong of 1 bytes");
  expect(describeFrame(await socket.next())).toBe("text one two");
});

test("a client that does not read receives all answers once it reads again", async () => {
  using server = startEchoServer();
  using socket = await RawWebSocket.open(server.url);
  socket.pause();
  socket.text("flood");
  using other = await RawWebSocket.open(server.url);
  other.text("x");
  await other.next();
  expect(socket.received.length).toBe(0);
  socket.resume();
  for (let frame = 0; frame < 256; frame++) expect((await socket.next()).payload[0]).toBe(frame);
});

test("the server sees a close, a reset and a torn frame as such", async () => {
  using server = startEchoServer();
  using closed = await RawWebSocket.open(server.url);
  closed.close(1000, "bye");
  expect(describeFrame(await closed.next())).toStartWith("close 1000");
  await closed.ended;
  using reset = await RawWebSocket.open(server.url);
  reset.write(
    encodeFrame({ opcode: opcodes.binary, payload: new Uint8Array(99), mask: new Uint8Array(4) }).subarray(
      0,
      50,
    ),
  );
  await reset.flush();
  reset.reset();
  await reset.ended;
  await until("both closes at the server", 2_000, () => server.closes.length === 2);
  expect(server.closes).toEqual([1000, 1006]);
});

test("waiting fails with what was received if no frame comes or the connection ends", async () => {
  using server = startEchoServer();
  using socket = await RawWebSocket.open(server.url);
  socket.text("hello");
  await socket.next();
  await expect(socket.next(50)).rejects.toThrow("received 1 frames, the last: [text hello]");
  socket.reset();
  await socket.ended;
  await expect(socket.next()).rejects.toThrow("connection ended instead of a frame");
});

test(
  "the frame reader returns the same frames however their bytes are split",
  seeded(async (random) => {
    const lengths = [0, 1, 125, 126, 127, 300, 65535, 65536, 70000];
    const payloads = lengths.map((length) => random.bytes(length));
    const bytes = Buffer.concat(payloads.map((payload) => encodeFrame({ opcode: opcodes.binary, payload })));
    const frames: Frame[] = [];
    const reader = new FrameReader((frame) => frames.push(frame));
    for (const piece of random.pieces(bytes, 1000)) reader.push(piece);
    expect(reader.atBoundary).toBe(true);
    expect(frames.map((frame) => frame.payload.length)).toEqual(lengths);
    expect(frames.every((frame, index) => frame.payload.equals(payloads[index]!))).toBe(true);
  }),
);
