import { afterAll, beforeAll, expect, test } from "bun:test";
import * as net from "node:net";
import { TcpProxy } from "./tcp-proxy.ts";
import { until } from "./until.ts";

const limitMs = 5_000;

/** A server that repeats what it gets, and notes ends. */
let target: net.Server;
let ends = 0;
beforeAll(async () => {
  target = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("data", (bytes) => socket.write(bytes));
    socket.on("end", () => (ends += 1));
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => target.listen(0, "127.0.0.1", resolve));
});
afterAll(() => void target.close());

class Peer implements Disposable {
  text = "";
  isClosed = false;
  readonly socket: net.Socket;

  constructor(proxy: TcpProxy) {
    this.socket = net.connect(proxy.port, "127.0.0.1");
    this.socket.on("data", (bytes) => (this.text += bytes.toString()));
    this.socket.on("error", () => {});
    this.socket.on("close", () => (this.isClosed = true));
  }

  async exchange(text: string): Promise<void> {
    const wanted = this.text + text;
    this.socket.write(text);
    await until(`"${wanted}"`, limitMs, () => this.text === wanted);
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

const open = () => TcpProxy.open((target.address() as net.AddressInfo).port);

test("a silent proxy forwards nothing, and cuts what it was silent on when it works again", async () => {
  using proxy = await open();
  using peer = new Peer(proxy);
  await peer.exchange("a");
  proxy.fallSilent();
  peer.socket.write("lost");
  using late = new Peer(proxy);
  late.socket.write("lost too");
  await until("the connection", limitMs, () => late.socket.readyState === "open");
  proxy.restore();
  await until("the cut", limitMs, () => peer.isClosed && late.isClosed);
  expect([peer.text, late.text]).toEqual(["a", ""]);
  using again = new Peer(proxy);
  await again.exchange("b");
});

test("a delay keeps the order, also when it ends", async () => {
  using proxy = await open();
  using peer = new Peer(proxy);
  proxy.delay(100);
  const began = performance.now();
  await peer.exchange("a");
  expect(performance.now() - began).toBeGreaterThan(190);
  peer.socket.write("b");
  await Bun.sleep(20);
  proxy.restore();
  peer.socket.write("c");
  await until("the rest", limitMs, () => peer.text.length === 3);
  expect(peer.text).toBe("abc");
});

test("a half-close is an end for one side, and the other way stays open", async () => {
  using proxy = await open();
  using peer = new Peer(proxy);
  await peer.exchange("a");
  const before = ends;
  proxy.halfClose("far");
  await until("the end at the target", limitMs, () => ends === before + 1);
  expect(peer.isClosed).toBe(false);
});
