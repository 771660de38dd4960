/** Peers that open connections and send nothing, or too little: they neither end the server nor keep others out. */
import { afterEach, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { Random } from "../harness/bytes.ts";
import { AudioCachePeer, controlOf, freshId } from "../harness/peers/audio-cache.ts";
import { RawWebSocket } from "../harness/peers/raw-websocket.ts";
import { runServerToExit, TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

const isLinux = process.platform === "linux";

const silent: Socket[] = [];

afterEach(() => {
  for (const socket of silent.splice(0)) socket.destroy();
});

/** Opens TCP connections that send only this, and waits until the kernel has accepted or refused each. */
async function openSilent(port: number, count: number, text = ""): Promise<Socket[]> {
  const sockets = Array.from({ length: count }, () => connect(port, "127.0.0.1"));
  silent.push(...sockets);
  await Promise.all(
    sockets.map(
      (socket) =>
        new Promise<void>((resolve) => {
          socket.on("error", () => resolve());
          socket.on("connect", () => resolve());
          if (text !== "") socket.write(text);
          socket.resume();
        }),
    ),
  );
  return sockets;
}

const handshake = [
  "GET /audio HTTP/1.1",
  "Host: localhost",
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version: 13",
  "\r\n",
].join("\r\n");

/** A server whose process may have only this many descriptors. */
function startWithDescriptors(
  count: number,
  flags: Record<string, string | number> = {},
): Promise<TestServer> {
  const launcher = () => ["sh", "-c", `ulimit -n ${count}; exec "$@"`, "sh"];
  return TestServer.start({ launcher, flags });
}

async function untilHealthy(server: TestServer): Promise<void> {
  await until(
    "an answer of /healthz",
    5_000,
    async () => {
      try {
        const answer = await fetch(`${server.httpBase}/healthz`, { signal: AbortSignal.timeout(1_000) });
        return answer.status === 200;
      } catch {
        return false;
      }
    },
    () => server.log,
  );
}

/** Everything works: an upload, a download and the API. */
async function expectToWork(server: TestServer): Promise<void> {
  await untilHealthy(server);
  const audio = new Random(1).bytes(100_000);
  const id = freshId("works");
  // Connections that have just ended may still have their places.
  await until("room for a WebSocket", 2_000, async () => {
    using socket = await RawWebSocket.open(server.url);
    return socket.response.status === 101;
  });
  using peer = await AudioCachePeer.open(server.url);
  await peer.upload(id, audio, 8192);
  expect((await peer.download(id, audio.length)).length).toBe(audio.length);
  expect(server.isRunning, server.log).toBe(true);
}

function httpPort(server: TestServer): number {
  return Number(new URL(server.httpBase).port);
}

function portOf(server: TestServer, scheme: string): number {
  return Number(new RegExp(`\\b${scheme}://\\S+?:(\\d+)`).exec(server.stdout)![1]);
}

describe.skipIf(!isLinux)("a server with few descriptors survives", () => {
  const kinds: [string, string, string][] = [
    ["connections that send nothing", "http", ""],
    ["connections that send half a request", "http", "GET /healthz HTT"],
    ["gRPC connections that send nothing", "grpc", ""],
    ["connections for songs that send nothing", "tls", ""],
  ];
  for (const [what, scheme, text] of kinds) {
    test(`300 ${what}`, async () => {
      await using server = await startWithDescriptors(256, { "grpc-port": 0, "tls-port": 0 });
      const port = scheme === "http" ? httpPort(server) : portOf(server, scheme);
      await openSilent(port, 300, text);
      await expectToWork(server);
    });
  }

  test("300 WebSockets that send nothing", async () => {
    await using server = await startWithDescriptors(256);
    await openSilent(httpPort(server), 300, handshake);
    await expectToWork(server);
  });

  test("reads of more streams than it can have open", async () => {
    await using server = await startWithDescriptors(256);
    using peer = await AudioCachePeer.open(server.url);
    const ids = Array.from({ length: 300 }, (_, index) => `stream-${index}`);
    for (const id of ids) await peer.upload(id, Buffer.from(`audio of ${id}`));
    for (let round = 0; round < 3; round++) {
      for (const id of ids) expect((await peer.read(id, 0, 100)).toString()).toBe(`audio of ${id}`);
    }
    expect(readdirSync(`/proc/${server.pid}/fd`).length).toBeLessThan(200);
  });

  test("uploads that would use up the descriptors", async () => {
    await using server = await startWithDescriptors(256);
    const refusals: string[] = [];
    const peers: AudioCachePeer[] = [];
    for (let index = 0; index < 12; index++) {
      const peer = await AudioCachePeer.open(server.url);
      peers.push(peer);
      for (let stream = 0; stream < 16; stream++) {
        peer.send({ type: "START", streamId: `peer-${index}-${stream}` });
        const answer = controlOf(await peer.next());
        if (answer?.type === "ERROR") refusals.push(answer.message ?? "");
      }
    }
    expect(refusals.length).toBeGreaterThan(50);
    expect(refusals.filter((message) => !message.includes("too many open files"))).toEqual([]);
    for (const peer of peers) await peer.close();
    await expectToWork(server);
  });

  test("a thousand connections in a row", async () => {
    await using server = await startWithDescriptors(256);
    const port = httpPort(server);
    for (let round = 0; round < 10; round++) {
      await openSilent(port, 100, round % 2 === 0 ? "" : "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
      for (const socket of silent.splice(0)) socket.destroy();
    }
    await expectToWork(server);
  });
});

test("WebSockets that send nothing make room for peers that do, at --max-connections", async () => {
  await using server = await TestServer.start({ flags: { "max-connections": 30 } });
  using early = await AudioCachePeer.open(server.url);
  await early.start("early");
  await openSilent(httpPort(server), 60, handshake);
  await expectToWork(server);
  early.socket.binary(Buffer.from("audio"));
  expect((await early.stop("early")).size).toBe(5);
});

test("--max-connections-per-address also holds for loopback, and a refused handshake says so", async () => {
  await using server = await TestServer.start({ flags: { "max-connections-per-address": 2 } });
  using one = await AudioCachePeer.open(server.url);
  using two = await AudioCachePeer.open(server.url);
  await one.start("one");
  await two.start("two");
  using refused = await RawWebSocket.open(server.url);
  expect(refused.response.status).toBe(429);
  await two.close();
  await until("room for one more", 5_000, async () => {
    using next = await RawWebSocket.open(server.url);
    return next.response.status === 101;
  });
});

test("a start is refused if the messages of all connections could take up half of the memory", async () => {
  const flags = ["--port", "0", "--max-connections", "1000000", "--max-message-bytes", "16MiB"];
  const run = await runServerToExit(flags);
  expect(run.code).toBe(2);
  expect(run.stderr).toMatch(
    /^wavecache: --max-connections 1000000 times --max-message-bytes 16MiB .*memory/,
  );
  expect(run.stderr.trim().split("\n").length).toBe(1);
});

/** A body of unknown length. */
async function* pieces(count: number, bytes: number): AsyncGenerator<Uint8Array> {
  for (let piece = 0; piece < count; piece += 1) yield new Uint8Array(bytes);
}

test("POST /echo takes no more than 1 MiB", async () => {
  await using server = await TestServer.start();
  const post = (bytes: number) =>
    fetch(`${server.httpBase}/echo`, { method: "POST", body: new Uint8Array(bytes) });
  const whole = await post(1 << 20);
  expect([whole.status, (await whole.arrayBuffer()).byteLength]).toEqual([200, 1 << 20]);
  expect((await post((1 << 20) + 1)).status).toBe(413);
  const body = pieces(17, 1 << 16);
  expect((await fetch(`${server.httpBase}/echo`, { method: "POST", body })).status).toBe(413);
});

test.skipIf(!isLinux)(
  "a limit of open files below --max-connections is warned about at the start",
  async () => {
    await using server = await startWithDescriptors(256);
    await server.untilLogged(/limit of open files leaves room for fewer connections.*wanted=4096/);
  },
);
