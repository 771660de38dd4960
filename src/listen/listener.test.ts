import { afterEach, describe, expect, test } from "bun:test";
import { openAccess } from "../access/access.ts";
import { GatewayMeter } from "../base/gateway-meter.ts";
import { openLog } from "../base/log/log.ts";
import { connectionLimit } from "../testing/fixtures/connection-limit.ts";
import { RawWebSocket } from "../testing/harness/peers/raw-websocket.ts";
import { until } from "../testing/harness/until.ts";
import { endBody } from "./end-body.ts";
import { HostNames } from "./host.ts";
import { Listener, type ListenerSettings } from "./listener.ts";
import { Origins } from "./origin.ts";
import type { HttpRoute, Session, Socket } from "./route.ts";

const open: Listener[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((listener) => listener.close()));
});

/** A gateway that records what it receives. */
class FakeGateway implements Session {
  socket: Socket | undefined;
  readonly received: string[] = [];
  readonly meter = new GatewayMeter("fake");

  accepts = (path: string) => path === "/fake";
  requireAccess = () => undefined;

  open(socket: Socket): Session {
    this.socket = socket;
    return this;
  }

  text(message: string): void {
    this.received.push(message);
  }

  binary(frame: Uint8Array): void {
    this.received.push(`${frame.length} bytes`);
  }

  drained(): void {
    this.received.push("drained");
  }

  closed(): void {
    this.received.push("closed");
  }
}

function listen(gateway: FakeGateway, settings: Partial<ListenerSettings> = {}): Listener {
  const listener = new Listener({
    host: "127.0.0.1",
    port: 0,
    limit: connectionLimit(),
    stallTimeoutMs: 60_000,
    sockets: [gateway],
    access: openAccess,
    http: [],
    allowHost: HostNames.parse("")!,
    allowOrigin: Origins.parse("")!,
    meter: new GatewayMeter("listener"),
    log: openLog("test"),
    requestLog: openLog("test"),
    ...settings,
  });
  open.push(listener);
  return listener;
}

function answerAt(url: URL, path: string): Response | undefined {
  return url.pathname === path ? new Response(path) : undefined;
}

const longBody = new Uint8Array(2_000_000);

async function lengthOf(request: Request): Promise<Response> {
  return new Response(String((await request.arrayBuffer()).byteLength));
}

async function post(listener: Listener, path: string): Promise<string> {
  const url = `http://127.0.0.1:${listener.port}${path}`;
  const response = await fetch(url, { method: "POST", body: longBody });
  return `${response.status} ${await response.text()}`;
}

/** What an answer says about the connection after a body of this length is refused. */
function ending(length: string | undefined): string | null {
  const headers = new Headers(length === undefined ? {} : { "content-length": length });
  return endBody(new Response(), { headers, body: new ReadableStream() }).headers.get("connection");
}

describe("the body of a request", () => {
  test("may be long for a route that takes it as it comes, and for no other", async () => {
    const taking: HttpRoute = {
      streamsBody: (request, url) => request.method === "POST" && url.pathname === "/long",
      handle: (request, url) => (url.pathname.startsWith("/long") ? lengthOf(request) : undefined),
    };
    const other: HttpRoute = { handle: (_, url) => answerAt(url, "/other") };
    const listener = listen(new FakeGateway(), { http: [taking, other] });
    expect(await post(listener, "/long")).toBe("200 2000000");
    for (const path of ["/longer", "/other", "/none"]) {
      expect(await post(listener, path)).toMatch(/^413 .*MESSAGE_TOO_LARGE/);
    }
  });

  test("that is refused is discarded if it is short, so that its sender gets the answer; else the connection ends", () => {
    expect(ending("64000000")).toBeNull();
    expect(ending("99000000")).toBe("close");
    expect(ending(undefined)).toBe("close");
    expect(
      endBody(new Response(), { headers: new Headers(), body: null }).headers.get("connection"),
    ).toBeNull();
  });
});

describe("the listener", () => {
  test("routes messages and the end of a connection to the gateway that accepts its path", async () => {
    const gateway = new FakeGateway();
    const listener = listen(gateway);
    using peer = await RawWebSocket.open(`ws://127.0.0.1:${listener.port}/fake?x=1`);
    peer.text("hello");
    peer.binary(Buffer.from("abc"));
    await until("both messages arrived", 5000, () => gateway.received.length === 2);
    expect(listener.connections).toBe(1);
    await peer.close();
    await until("the session ended", 5000, () => gateway.received.includes("closed"));
    expect(gateway.received).toEqual(["hello", "3 bytes", "closed"]);
    expect(gateway.meter).toMatchObject({ connections: 0, connected: 1, bytesIn: 8, bytesOut: 0 });
    expect(listener.connections).toBe(0);
  });

  test("answers requests and upgrades with 503 while the server starts, except where no store is needed", async () => {
    let isStarting = true;
    const http = [
      { servesWhileStarting: true, handle: (_: Request, url: URL) => answerAt(url, "/always") },
      { handle: (_: Request, url: URL) => answerAt(url, "/later") },
    ];
    const listener = listen(new FakeGateway(), { http, isStarting: () => isStarting });
    const base = `127.0.0.1:${listener.port}`;
    const statusOf = async (path: string) => (await fetch(`http://${base}${path}`)).status;
    expect(await Promise.all(["/always", "/later", "/fake", "/other"].map(statusOf))).toEqual([
      200, 503, 503, 503,
    ]);
    using early = await RawWebSocket.open(`ws://${base}/fake`);
    expect(early.response.status).toBe(503);
    isStarting = false;
    expect(await Promise.all(["/always", "/later"].map(statusOf))).toEqual([200, 200]);
    using peer = await RawWebSocket.open(`ws://${base}/fake`);
    expect(peer.response.status).toBe(101);
  });

  test("answers a plain request for the path of a WebSocket with 426", async () => {
    const listener = listen(new FakeGateway());
    const base = `http://127.0.0.1:${listener.port}`;
    expect((await fetch(`${base}/fake`)).status).toBe(426);
    expect((await fetch(`${base}/elsewhere`)).status).toBe(404);
  });

  test("reports an empty frame as sent, and a frame to a disconnected peer as dropped", async () => {
    const gateway = new FakeGateway();
    const listener = listen(gateway);
    using peer = await RawWebSocket.open(`ws://127.0.0.1:${listener.port}/fake`);
    await until("the session is open", 5000, () => gateway.socket);
    expect(gateway.socket!.send(new Uint8Array(0))).toBe("sent");
    expect(gateway.socket!.send("text")).toBe("sent");
    expect(gateway.meter).toMatchObject({ connections: 1, bytesIn: 0, bytesOut: 4 });
    await peer.close();
    await until("the session ended", 5000, () => gateway.received.includes("closed"));
    expect(gateway.socket!.send("text")).toBe("dropped");
  });

  test("closes a peer that reads none of its answers for too long", async () => {
    const gateway = new FakeGateway();
    const listener = listen(gateway, { stallTimeoutMs: 300 });
    using peer = await RawWebSocket.open(`ws://127.0.0.1:${listener.port}/fake`);
    await until("the session is open", 5000, () => gateway.socket);
    peer.pause();
    while (gateway.socket!.send(new Uint8Array(1 << 20)) === "sent");
    await until("the peer was closed", 5000, () => gateway.received.includes("closed"));
    expect(listener.connections).toBe(0);
  });

  test("keeps a peer that reads slowly", async () => {
    const gateway = new FakeGateway();
    const listener = listen(gateway, { stallTimeoutMs: 300 });
    using peer = await RawWebSocket.open(`ws://127.0.0.1:${listener.port}/fake`);
    await until("the session is open", 5000, () => gateway.socket);
    peer.pause();
    while (gateway.socket!.send(new Uint8Array(1 << 20)) === "sent");
    peer.resume();
    await until("the session was drained", 5000, () => gateway.received.includes("drained"));
    expect(gateway.received).not.toContain("closed");
  });
});
