/** Two servers behind a real HAProxy with the configuration of deploy/cluster/. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { AudioCachePeer, freshId } from "../harness/peers/audio-cache.ts";
import { GrpcDevice } from "../harness/peers/grpc-device.ts";
import { TusPeer } from "../harness/http/tus.ts";
import { type BalancedNode, hasHaproxy, Haproxy } from "../harness/servers/haproxy.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { testLimitMs, until } from "../harness/until.ts";

useServers();
setDefaultTimeout(testLimitMs);
if (!hasHaproxy)
  process.stderr.write("balance.test.ts is skipped: it needs haproxy, which is not installed\n");

const limitMs = 20_000;

async function startNode(): Promise<TestServer> {
  return await TestServer.start({ flags: { "grpc-port": 0, "trust-proxy": "127.0.0.0/8" } });
}

function portsOf(server: TestServer): BalancedNode {
  return { main: Number(new URL(server.httpBase).port), grpc: server.grpcPort };
}

/** Asks again and again until `leave`, which resolves with how often each status came; 0 is a failed connection. */
class Asker {
  readonly #statuses = new Map<number, number>();
  readonly #asking: Promise<void>;
  #hasLeft = false;

  constructor(url: string) {
    this.#asking = this.#ask(url);
  }

  get asked(): number {
    return [...this.#statuses.values()].reduce((sum, count) => sum + count, 0);
  }

  async leave(): Promise<Record<number, number>> {
    this.#hasLeft = true;
    await this.#asking;
    return Object.fromEntries(this.#statuses);
  }

  async #ask(url: string): Promise<void> {
    while (!this.#hasLeft) {
      const status = await fetch(url, { headers: { connection: "close" } }).then(
        (answer) => answer.status,
        () => 0,
      );
      this.#statuses.set(status, (this.#statuses.get(status) ?? 0) + 1);
      await Bun.sleep(10);
    }
  }
}

async function hasDevice({ httpBase }: TestServer): Promise<boolean> {
  const answer = await fetch(`${httpBase}/api/devices/board`);
  return answer.ok && ((await answer.json()) as { connected: boolean }).connected;
}

describe.skipIf(!hasHaproxy)("two servers behind HAProxy", () => {
  test("no request fails while one of them shuts down", async () => {
    await using one = await startNode();
    await using other = await startNode();
    await using proxy = await Haproxy.start([portsOf(one), portsOf(other)]);
    const asker = new Asker(`${proxy.origin}/api/streams`);
    await until("some requests", limitMs, () => asker.asked > 20);
    expect(await one.stop()).toBe(0);
    const stopped = asker.asked;
    await until("more requests", limitMs, () => asker.asked > stopped + 200);
    expect(await asker.leave()).toEqual({ 200: expect.any(Number) });
  });

  test("uploads and ranges go on at the other one when a server is killed", async () => {
    await using one = await startNode();
    await using other = await startNode();
    await using proxy = await Haproxy.start([portsOf(one), portsOf(other)]);
    await one.kill9();
    const audio = crypto.getRandomValues(new Uint8Array(200_000));
    const id = freshId("balanced");
    {
      using peer = await AudioCachePeer.open(`${proxy.origin.replace("http", "ws")}/audio`);
      await peer.upload(id, audio);
    }
    const read = await fetch(`${proxy.origin}/api/streams/${id}/audio`, {
      headers: { range: "bytes=1000-1999" },
    });
    expect(read.status).toBe(206);
    expect(new Uint8Array(await read.arrayBuffer())).toEqual(audio.slice(1000, 2000));
  });

  test("an upload by tus stays at the server that it began at, and its end is seen there", async () => {
    await using one = await startNode();
    await using other = await startNode();
    await using proxy = await Haproxy.start([portsOf(one), portsOf(other)]);
    const client = new TusPeer(proxy.origin);
    const audio = crypto.getRandomValues(new Uint8Array(8_000));
    const paths = await Promise.all([1, 2, 3, 4].map(() => client.create(audio.length)));
    for (let offset = 0; offset < audio.length; offset += 1_000)
      for (const path of paths) {
        expect(await client.offset(path)).toBe(offset);
        const sent = await client.patch(path, offset, audio.subarray(offset, offset + 1_000));
        expect(sent.status).toBe(204);
      }
    for (const path of paths) expect(await client.offset(path)).toBe(audio.length);
  });

  test("a device has its three streams at one server, and finds the other one", async () => {
    await using one = await startNode();
    await using other = await startNode();
    await using proxy = await Haproxy.start([portsOf(one), portsOf(other)]);
    let owner: TestServer;
    {
      using board = new GrpcDevice(proxy.grpcPort, "board");
      await board.untilConnected();
      await board.pressed("mode");
      owner = (await hasDevice(one)) ? one : other;
      await owner.kill9();
      await board.until("the end of its streams", () => board.endings.status !== undefined);
    }
    using board = new GrpcDevice(proxy.grpcPort, "board");
    await board.untilConnected();
    await board.pressed("mode");
    expect(await hasDevice(owner === one ? other : one)).toBe(true);
  });
});
