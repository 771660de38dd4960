import { describe, expect, test } from "bun:test";
import {
  cleanups,
  failureOf,
  FakeSocket,
  mockServers,
  noise,
  rejectionOf,
} from "../../testing/fixtures/client.ts";
import { until } from "../../testing/harness/until.ts";
import { deadAddress, startSilentServer } from "../../testing/mocks/servers.ts";
import { bunPlatform } from "./bun.ts";
import { connect } from "./connection.ts";
import type { Platform } from "./platform.ts";

const cleanup = cleanups();
const mock = mockServers();

async function fakeConnection(limits: { stallTimeoutMs?: number } = {}, signal?: AbortSignal) {
  const socket = new FakeSocket();
  const platform: Platform = { openSocket: () => socket, newDigest: bunPlatform.newDigest };
  const opening = connect(platform, "ws://fake/", signal, limits);
  socket.fire("open");
  return { socket, connection: await opening };
}

const soon = () => performance.now() + 2_000;

describe("connecting", () => {
  test("fails with BAD_URL for anything that is not a WebSocket address", async () => {
    for (const url of ["", "localhost:8080", "http://localhost/", "ws://", "ws:///audio", "ws://x:99999/"]) {
      expect((await failureOf(connect(bunPlatform, url))).code).toBe("BAD_URL");
    }
  });

  test("fails with UNREACHABLE if nothing listens", async () => {
    const error = await failureOf(connect(bunPlatform, deadAddress()));
    expect(error).toMatchObject({ code: "UNREACHABLE", again: true });
  });

  test("is refused by a 404, and may be retried after a 503", async () => {
    const missing = mock({ upgradeStatus: 404 });
    expect(await failureOf(connect(bunPlatform, missing.url))).toMatchObject({ code: "REFUSED" });
    const busy = mock({ upgradeStatus: 503 });
    expect(await failureOf(connect(bunPlatform, busy.url))).toMatchObject({ code: "UNREACHABLE" });
  });

  test("times out if the server accepts the connection and sends nothing", async () => {
    const silent = startSilentServer();
    cleanup(silent.stop);
    const error = await failureOf(connect(bunPlatform, silent.url, undefined, { connectTimeoutMs: 30 }));
    expect(error.code).toBe("CONNECT_TIMEOUT");
  });

  test("ends with the signal's reason, before it begins and while it waits", async () => {
    const silent = startSilentServer();
    cleanup(silent.stop);
    const before = connect(bunPlatform, silent.url, AbortSignal.abort(new Error("enough")));
    expect(await rejectionOf(before)).toBe("enough");
    const controller = new AbortController();
    const whileWaiting = connect(bunPlatform, silent.url, controller.signal);
    controller.abort(new Error("enough"));
    expect(await rejectionOf(whileWaiting)).toBe("enough");
  });
});

describe("a connection", () => {
  test("returns frames in order, also after the peer has closed", async () => {
    const { socket, connection } = await fakeConnection();
    socket.fire("message", { data: "one" });
    socket.fire("message", { data: new Uint8Array([2]).buffer });
    socket.fire("close", { code: 1000, reason: "bye" });
    expect(await connection.receive(soon())).toBe("one");
    expect(await connection.receive(soon())).toEqual(new Uint8Array([2]));
    const error = await failureOf(connection.receive(soon()));
    expect(error).toMatchObject({ code: "CONNECTION_LOST", detail: "bye" });
  });

  test("returns undefined at the deadline, and still receives later frames", async () => {
    const { socket, connection } = await fakeConnection();
    expect(await connection.receive(performance.now() + 5)).toBeUndefined();
    const next = connection.receive(soon());
    socket.fire("message", { data: "late" });
    expect(await next).toBe("late");
  });

  test("throws from send after it is lost", async () => {
    const { socket, connection } = await fakeConnection();
    socket.fire("close", { code: 1006, reason: "" });
    expect(() => connection.send("x")).toThrow("connection lost");
  });

  test("waits until few enough bytes are buffered", async () => {
    const { socket, connection } = await fakeConnection();
    socket.bufferedAmount = 100;
    const drained = connection.drained(50);
    socket.bufferedAmount = 50;
    await drained;
    expect(connection.bufferedBytes).toBe(50);
  });

  test("is lost if nothing leaves for too long", async () => {
    const { socket, connection } = await fakeConnection({ stallTimeoutMs: 20 });
    socket.bufferedAmount = 100;
    expect((await failureOf(connection.drained(50))).code).toBe("CONNECTION_LOST");
    expect(socket.terminated).toBe(true);
  });

  test("fails if the peer floods it, or sends neither text nor bytes", async () => {
    const flooded = await fakeConnection();
    const frame = new ArrayBuffer(64 * 1024 * 1024);
    for (let i = 0; i < 9; i++) flooded.socket.fire("message", { data: frame });
    flooded.connection.drain();
    expect((await failureOf(flooded.connection.receive(soon()))).code).toBe("UNEXPECTED");
    const odd = await fakeConnection();
    odd.socket.fire("message", { data: 7 });
    expect((await failureOf(odd.connection.receive(soon()))).code).toBe("UNEXPECTED");
  });

  test("keeps received frames after it is lost, because they may say why", async () => {
    const { socket, connection } = await fakeConnection();
    socket.fire("message", { data: "why" });
    socket.fire("close", { code: 1008, reason: "" });
    expect(() => connection.send("x")).toThrow("the server refused: closed with 1008");
    expect(connection.drain()).toEqual(["why"]);
  });

  test("wakes a waiting call when the signal aborts", async () => {
    const controller = new AbortController();
    const { connection } = await fakeConnection({}, controller.signal);
    const waiting = connection.receive(soon());
    controller.abort(new Error("enough"));
    expect(await rejectionOf(waiting)).toBe("enough");
  });

  test("copies what it sends, so that the sender may reuse its buffer", async () => {
    const server = mock();
    const connection = await connect(bunPlatform, server.url);
    connection.send('{"type":"START","streamId":"x"}');
    const buffer = noise(65_536);
    const copy = buffer.slice();
    for (let i = 0; i < 100; i++) connection.send(buffer);
    buffer.fill(0);
    connection.send('{"type":"STOP","streamId":"x"}');
    while (!String(await connection.receive(soon())).includes("STOPPED"));
    connection.close();
    expect(server.bytesOf("x").subarray(-65_536).equals(copy)).toBe(true);
  });
});

describe("a graceful close", () => {
  test("waits until everything has left, and returns the server's close", async () => {
    const { socket, connection } = await fakeConnection();
    let closes = 0;
    socket.close = () => void closes++;
    socket.bufferedAmount = 1;
    const closing = connection.closeGracefully(2_000);
    expect(await connection.receive(performance.now() + 20)).toBeUndefined();
    expect(closes).toBe(0);
    socket.bufferedAmount = 0;
    await until("the close", 2_000, () => closes === 1);
    socket.fire("close", { code: 1000, reason: "bye" });
    expect(await closing).toEqual({ code: 1000, reason: "bye" });
  });

  test("fails if the server refuses at the same time, or the signal aborts", async () => {
    const refused = await fakeConnection();
    refused.socket.close = () => refused.socket.fire("close", { code: 1008, reason: "no" });
    expect((await failureOf(refused.connection.closeGracefully(2_000))).message).toContain("1008 (no)");
    const controller = new AbortController();
    const aborted = await fakeConnection({}, controller.signal);
    aborted.socket.close = () => undefined;
    const closing = aborted.connection.closeGracefully(2_000);
    setTimeout(() => controller.abort(new Error("enough")), 5);
    expect(await rejectionOf(closing)).toBe("enough");
  });
});
