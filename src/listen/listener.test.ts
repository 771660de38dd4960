import { afterEach, describe, expect, test } from "bun:test";
import { GatewayMeter } from "../base/gateway-meter.ts";
import { openLog } from "../base/log.ts";
import { RawWebSocket } from "../testing/harness/peers/raw-websocket.ts";
import { until } from "../testing/harness/until.ts";
import { ConnectionLimit } from "./connection-limit.ts";
import { Listener, type ListenerSettings } from "./listener.ts";
import type { Session, Socket } from "./route.ts";

const open: Listener[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((listener) => listener.close()));
});

/** A door that sends what it is told to and remembers what it heard. */
class Door implements Session {
  socket: Socket | undefined;
  readonly heard: string[] = [];
  readonly meter = new GatewayMeter("door");

  accepts = (path: string) => path === "/door";

  open(socket: Socket): Session {
    this.socket = socket;
    return this;
  }

  text(message: string): void {
    this.heard.push(message);
  }

  binary(frame: Uint8Array): void {
    this.heard.push(`${frame.length} bytes`);
  }

  drained(): void {
    this.heard.push("drained");
  }

  closed(): void {
    this.heard.push("closed");
  }
}

function listen(door: Door, settings: Partial<ListenerSettings> = {}): Listener {
  const listener = new Listener({
    host: "127.0.0.1",
    port: 0,
    limit: new ConnectionLimit(10),
    stallTimeoutMs: 60_000,
    sockets: [door],
    http: [],
    log: openLog("test"),
    ...settings,
  });
  open.push(listener);
  return listener;
}

describe("the listener", () => {
  test("hands messages to the door that accepts the path, and the end of the connection too", async () => {
    const door = new Door();
    const listener = listen(door);
    using peer = await RawWebSocket.open(`ws://127.0.0.1:${listener.port}/door?x=1`);
    peer.text("hello");
    peer.binary(Buffer.from("abc"));
    await until("both arrived", 5000, () => door.heard.length === 2);
    expect(listener.connections).toBe(1);
    await peer.close();
    await until("the end was heard", 5000, () => door.heard.includes("closed"));
    expect(door.heard).toEqual(["hello", "3 bytes", "closed"]);
    expect(door.meter).toMatchObject({ connections: 0, connected: 1, bytesIn: 8, bytesOut: 0 });
    expect(listener.connections).toBe(0);
  });

  test("tells whoever comes without a WebSocket what the address is for", async () => {
    const listener = listen(new Door());
    const base = `http://127.0.0.1:${listener.port}`;
    expect((await fetch(`${base}/door`)).status).toBe(426);
    expect((await fetch(`${base}/elsewhere`)).status).toBe(404);
  });

  test("calls an empty frame sent, and says when the peer is gone", async () => {
    const door = new Door();
    const listener = listen(door);
    using peer = await RawWebSocket.open(`ws://127.0.0.1:${listener.port}/door`);
    await until("the door is open", 5000, () => door.socket);
    expect(door.socket!.send(new Uint8Array(0))).toBe("sent");
    expect(door.socket!.send("text")).toBe("sent");
    expect(door.meter).toMatchObject({ connections: 1, bytesIn: 0, bytesOut: 4 });
    await peer.close();
    await until("the end was heard", 5000, () => door.heard.includes("closed"));
    expect(door.socket!.send("text")).toBe("dropped");
  });

  test("closes a peer that takes none of its answers for too long", async () => {
    const door = new Door();
    const listener = listen(door, { stallTimeoutMs: 300 });
    using peer = await RawWebSocket.open(`ws://127.0.0.1:${listener.port}/door`);
    await until("the door is open", 5000, () => door.socket);
    peer.pause();
    while (door.socket!.send(new Uint8Array(1 << 20)) === "sent");
    await until("the peer was closed", 5000, () => door.heard.includes("closed"));
    expect(listener.connections).toBe(0);
  });

  test("leaves a peer alone that is slow but reads", async () => {
    const door = new Door();
    const listener = listen(door, { stallTimeoutMs: 300 });
    using peer = await RawWebSocket.open(`ws://127.0.0.1:${listener.port}/door`);
    await until("the door is open", 5000, () => door.socket);
    peer.pause();
    while (door.socket!.send(new Uint8Array(1 << 20)) === "sent");
    peer.resume();
    await until("it was drained", 5000, () => door.heard.includes("drained"));
    expect(door.heard).not.toContain("closed");
  });
});
