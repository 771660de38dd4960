import { afterAll, beforeAll, expect, test } from "bun:test";
import { AudioCachePeer, freshId } from "../harness/peers/audio-cache.ts";
import { RawWebSocket } from "../harness/peers/raw-websocket.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { describeFrame, opcodes } from "../harness/peers/websocket-frames.ts";

useServers();

let server: TestServer;

beforeAll(async () => {
  server = await TestServer.start();
});

afterAll(async () => {
  await server.dispose();
});

const usedPaths = [
  "/audio",
  "/audio/",
  "/",
  "/audio?token=abc",
  "/audio/?a=1&b=%20%2F",
  "/?x",
  "/audio?",
  "/audio?url=ws://other/path?y",
];

for (const path of usedPaths) {
  test(`the protocol is served at ${path}`, async () => {
    using peer = await AudioCachePeer.open(server.url, { path });
    await peer.upload(freshId("path"), Buffer.from("audio"));
  });
}

test("the all-zero key is accepted and answered as RFC 6455 defines", async () => {
  const headers = { "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==" };
  using socket = await RawWebSocket.open(server.url, { headers });
  expect(socket.response.status).toBe(101);
  expect(socket.response.headers.get("sec-websocket-accept")).toBe("ICX+Yqv66kxgM0FcWaLWlFLwTAI=");
});

test("header names and values are matched in any case, among headers of other programs", async () => {
  using peer = await AudioCachePeer.open(server.url, {
    headers: {
      Upgrade: undefined,
      Connection: undefined,
      upgrade: "WebSocket",
      CONNECTION: "keep-alive, Upgrade",
      Origin: server.httpBase,
      Cookie: "a=b",
      "Cache-Control": "no-cache",
      Pragma: "no-cache",
    },
  });
  await peer.upload(freshId("headers"), Buffer.from("audio"));
});

const offers = [
  "permessage-deflate",
  "permessage-deflate; client_max_window_bits",
  "permessage-deflate; server_no_context_takeover; client_no_context_takeover, permessage-deflate",
  "x-webkit-deflate-frame",
];

for (const offer of offers) {
  test(`an offered "${offer}" is not negotiated and no frame is compressed`, async () => {
    using peer = await AudioCachePeer.open(server.url, { headers: { "Sec-WebSocket-Extensions": offer } });
    expect(peer.socket.response.headers.get("sec-websocket-extensions")).toBeUndefined();
    const id = freshId("deflate");
    const audio = Buffer.alloc(100_000, "aaaa");
    await peer.upload(id, audio);
    const answer = await peer.read(id, 0, audio.length);
    expect(answer.equals(audio)).toBe(true);
    expect(peer.socket.received.map((frame) => frame.rsv)).toEqual([0, 0, 0]);
  });
}

test("a plain GET of the audio path is not an upgrade, and the server keeps working", async () => {
  const response = await fetch(`${server.httpBase}/audio`);
  await response.text();
  expect(response.status).toBeGreaterThanOrEqual(200);
  expect(response.status).toBeLessThan(500);
  using peer = await AudioCachePeer.open(server.url);
  await peer.expectQuiet();
});

test("a ping is answered with a pong of the same payload, also amid an upload", async () => {
  using peer = await AudioCachePeer.open(server.url);
  for (const payload of [Buffer.alloc(0), Buffer.from("x"), Buffer.alloc(125, 7)]) {
    peer.socket.ping(payload);
    const frame = await peer.next();
    expect(describeFrame(frame)).toStartWith(`pong of ${payload.length} bytes`);
    expect(frame.payload.equals(payload)).toBe(true);
  }
  const id = freshId("ping");
  await peer.start(id);
  peer.socket.binary(Buffer.from("one"));
  await peer.expectQuiet();
  peer.socket.binary(Buffer.from("two"));
  expect((await peer.stop(id)).size).toBe(6);
});

test("an unsolicited pong is ignored", async () => {
  using peer = await AudioCachePeer.open(server.url);
  peer.socket.frame({ opcode: opcodes.pong, payload: Buffer.from("unasked") });
  await peer.expectQuiet();
});

test("Close is answered with Close, then the server ends the connection", async () => {
  for (const code of [1000, 1001, 3000, undefined]) {
    using peer = await AudioCachePeer.open(server.url);
    peer.socket.close(code);
    const frame = await peer.next();
    expect(frame.opcode).toBe(opcodes.close);
    if (code !== undefined && frame.payload.length > 0) expect(frame.payload.readUInt16BE(0)).toBe(code);
    await peer.socket.ended;
  }
});

test("there is no greeting: the first frame is the answer to the first request", async () => {
  const agents = [
    undefined,
    "okhttp/4.12.0",
    "Mozilla/5.0 ktor-client",
    "websocket-sharp/1.0",
    "not-ktor",
    "",
  ];
  for (const agent of agents) {
    using peer = await AudioCachePeer.open(server.url, { headers: { "User-Agent": agent } });
    await peer.expectQuiet();
  }
});

for (const agent of ["ktor-client", "Ktor client", "KTOR/2.3.7", "ktor"]) {
  test(`a client whose User-Agent is "${agent}" is greeted once, before anything else`, async () => {
    using peer = await AudioCachePeer.open(server.url, { headers: { "User-Agent": agent } });
    const greeting = await peer.expectControl("CONNECTED");
    expect(greeting.text).toBe('{"type":"CONNECTED","message":"Connection established"}');
    await peer.expectQuiet();
    await peer.upload(freshId("ktor"), Buffer.from("audio"));
  });
}

test("the server masks no frame and sends no ping of its own during a whole exchange", async () => {
  using peer = await AudioCachePeer.open(server.url);
  const id = freshId("unmasked");
  await peer.upload(id, Buffer.alloc(300_000, 1));
  await peer.download(id, 300_000);
  await peer.expectQuiet();
  const frames = peer.socket.received;
  expect(frames.length).toBeGreaterThan(5);
  expect(frames.filter((frame) => frame.masked || frame.opcode === opcodes.ping)).toEqual([]);
});
