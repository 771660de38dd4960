/** Connections that Bun does not report to the server: real ones, over loopback. */
import { afterEach, describe, expect, test } from "bun:test";
import { connect, type Socket as TcpSocket } from "node:net";
import { connect as connectTls } from "node:tls";
import { openAccess } from "../../access/access.ts";
import { GatewayMeter } from "../../base/gateway-meter.ts";
import { silentFlood } from "../../base/limits/connections.ts";
import { openLog } from "../../base/log/log.ts";
import { connectionLimit } from "../../testing/fixtures/connection-limit.ts";
import { makeCertificate } from "../../testing/harness/certificates.ts";
import { encodeFrame, opcodes } from "../../testing/harness/peers/websocket-frames.ts";
import { RawWebSocket } from "../../testing/harness/peers/raw-websocket.ts";
import { until, within } from "../../testing/harness/until.ts";
import type { Certificates } from "../tls/certificates.ts";
import { HostNames } from "../host.ts";
import { Listener, type ListenerSettings } from "../listener.ts";
import { Origins } from "../origin.ts";
import type { ConnectionLimits } from "./connection-limit.ts";
import { ConnectionWatch } from "./connection-watch.ts";

/** A look at the sockets of the system takes long while the machine is busy. */
const waitMs = 20_000;

const opened: { close(): unknown }[] = [];

afterEach(async () => {
  for (const each of opened.splice(0).toReversed()) await each.close();
});

const received: number[] = [];

const route = {
  meter: new GatewayMeter("fake"),
  accepts: (path: string) => path === "/fake",
  requireAccess: () => undefined,
  open: () => ({
    text: () => undefined,
    binary: (frame: Uint8Array) => void received.push(frame.length),
    drained: () => undefined,
    closed: () => undefined,
  }),
};

function listen(limits: Partial<ConnectionLimits> = {}, settings: Partial<ListenerSettings> = {}) {
  const limit = connectionLimit(limits);
  const watch = new ConnectionWatch(limit, Number.POSITIVE_INFINITY);
  const meter = new GatewayMeter("listener");
  const listener = new Listener({
    host: "127.0.0.1",
    port: 0,
    limit,
    watch,
    stallTimeoutMs: 60_000,
    sockets: [route],
    http: [{ handle: () => new Response("hello") }],
    access: openAccess,
    allowHost: HostNames.parse("")!,
    allowOrigin: Origins.parse("")!,
    meter,
    log: openLog("test"),
    requestLog: openLog("test"),
    ...settings,
  });
  opened.push(limit, watch, listener);
  return { limit, meter, listener };
}

async function connectTo(port: number, host = "127.0.0.1"): Promise<TcpSocket & { ended: Promise<void> }> {
  const socket = connect(port, host);
  const ended = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  opened.push({ close: () => socket.destroy() });
  socket.on("error", () => undefined);
  socket.resume();
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  return Object.assign(socket, { ended });
}

const request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

describe.skipIf(process.platform !== "linux")("a watched port", () => {
  for (const host of ["127.0.0.1", "::1"]) {
    test(`counts connections to ${host} before their first request, and until they end`, async () => {
      const { limit, listener } = listen({}, { host });
      const [silent, asking] = [await connectTo(listener.port, host), await connectTo(listener.port, host)];
      asking.write(request);
      const peer = new WebSocket(listener.address("ws", "/fake"));
      opened.push({ close: () => peer.close() });
      await until("all three are counted", waitMs, () => limit.open === 3);
      silent.destroy();
      asking.destroy();
      await until("only the WebSocket is left", waitMs, () => limit.open === 1);
      expect(listener.connections).toBe(1);
    });
  }

  test("closes connections that send nothing, or half a request, for too long", async () => {
    const { meter, listener } = listen({ firstMessageMs: 500 });
    const [silent, half] = [await connectTo(listener.port), await connectTo(listener.port)];
    half.write(request.slice(0, 10));
    await within("both to end", waitMs, Promise.all([silent.ended, half.ended]));
    expect(meter.errors.get("PEER_SILENT")).toBe(2);
  });

  test("closes a connection that sends nothing over TLS, and none that has sent a request", async () => {
    const certificate = await makeCertificate();
    const certificates = { current: certificate, onChange: () => () => undefined } as unknown as Certificates;
    const { meter, limit, listener } = listen({ firstMessageMs: 500 }, { certificates });
    const socket = connectTls({ host: "127.0.0.1", port: listener.port, rejectUnauthorized: false });
    opened.push({ close: () => socket.destroy() });
    socket.write(request);
    const silent = await connectTo(listener.port);
    await within("the end of the silent one", waitMs, silent.ended);
    expect(meter.errors.get("PEER_SILENT")).toBe(1);
    expect(limit.open).toBe(1);
  });

  test("gives the place of silent connections to requests and WebSockets", async () => {
    const max = silentFlood + 4;
    const { limit, meter, listener } = listen({ max });
    const oldest = await connectTo(listener.port);
    await until("the oldest is counted", waitMs, () => limit.open === 1);
    await Promise.all(Array.from({ length: 2 * max }, () => connectTo(listener.port)));
    await until("the flood is counted", waitMs, () => limit.open === max);
    expect(await (await fetch(listener.address("http", "/"))).text()).toBe("hello");
    using peer = await RawWebSocket.open(listener.address("ws", "/fake"));
    expect(peer.response.status).toBe(101);
    expect(limit.open).toBeLessThanOrEqual(max);
    await within("the end of the oldest", waitMs, oldest.ended);
    expect(meter.errors.get("CONNECTIONS_EXHAUSTED")).toBeGreaterThanOrEqual(max);
  });

  test("admits any number of requests on connections of their own, one after the other", async () => {
    const { limit, meter, listener } = listen({ max: 100 });
    for (let count = 0; count < 500; count++) {
      const answer = await fetch(listener.address("http", "/"), { headers: { connection: "close" } });
      expect(answer.status, `request ${count}`).toBe(200);
      await answer.text();
    }
    expect(meter.errors.size).toBe(0);
    await until(
      "they are forgotten",
      waitMs,
      () => limit.open <= 1,
      () => `${limit.open} are open`,
    );
  });

  test("answers requests at the limit, and then closes their connections", async () => {
    const { listener } = listen({ max: 1 });
    using peer = await RawWebSocket.open(listener.address("ws", "/fake"));
    peer.text("I am in use");
    await until("it has spoken", waitMs, () => route.meter.bytesIn > 0);
    const socket = await connectTo(listener.port);
    socket.write(request);
    const answer = await new Promise<Buffer>((resolve) => socket.once("data", resolve));
    expect(answer.toString()).toMatch(/^HTTP\/1.1 503 [^]*CONNECTIONS_EXHAUSTED/);
    await within("the end of the connection", waitMs, socket.ended);
  });

  test("closes a peer whose message dribbles in, and keeps those that are idle or complete their messages", async () => {
    const { listener } = listen({}, { messageTimeoutMs: 3_000 });
    const url = listener.address("ws", "/fake");
    using slow = await RawWebSocket.open(url);
    using idle = await RawWebSocket.open(url);
    using busy = await RawWebSocket.open(url);
    idle.text("hello");
    slow.text("hello");
    const frame = encodeFrame({ opcode: opcodes.binary, payload: Buffer.alloc(5000), mask: Buffer.alloc(4) });
    let sent = 0;
    const dribbling = setInterval(() => {
      slow.write(frame.subarray(sent, (sent += 10)));
      slow.ping(Buffer.from("still here"));
      busy.binary(Buffer.alloc(10));
    }, 100);
    opened.push({ close: () => clearInterval(dribbling) });
    await within("the end of the slow one", waitMs, slow.ended);
    expect(route.meter.errors.get("MESSAGE_UNFINISHED")).toBe(1);
    expect(listener.connections).toBe(2);
  });
});

test("a message may be as long as its route allows, which may be less than the port does", async () => {
  const large = { ...route, accepts: (path: string) => path === "/large", maxMessageBytes: 3 << 20 };
  const { listener } = listen({}, { sockets: [route, large], maxMessageBytes: 3 << 20 });
  for (const [path, bytes] of [
    ["/fake", 1 << 20],
    ["/large", 3 << 20],
  ] as const) {
    using peer = await RawWebSocket.open(listener.address("ws", path));
    received.length = 0;
    peer.binary(Buffer.alloc(bytes));
    await until("the message", waitMs, () => received[0] === bytes);
    peer.binary(Buffer.alloc(bytes + 1));
    const close = await peer.next();
    expect(close.payload.readUInt16BE()).toBe(1009);
    expect(received).toEqual([bytes]);
  }
});
