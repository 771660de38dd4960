/** Two nodes share their devices over a bus that loses messages. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { deviceFeedMs } from "../../../base/limits/devices.ts";
import type { Bus, BusMessage } from "../../../bus/bus.ts";
import { ledsOf } from "../device-state.ts";
import type { DeviceSnapshot } from "../device-streams.ts";
import { until } from "../../../testing/harness/until.ts";
import { ClusterDevices } from "./cluster-devices.ts";

const limitMs = 5_000;

/** Delivers at once to the other nodes. */
class MemoryBus implements Bus {
  isConnected = true;
  /** Subjects whose messages from this node are lost. */
  readonly lost = new Set<string>();
  readonly sent: string[] = [];
  readonly #peers: MemoryBus[];
  readonly #subscribed = new Set<{ subject: string; onMessage: (message: BusMessage) => void }>();

  constructor(peers: MemoryBus[]) {
    this.#peers = peers;
    peers.push(this);
  }

  publish(subject: string, payload: Uint8Array): boolean {
    if (!this.isConnected) return false;
    this.sent.push(subject);
    if (this.lost.has(subject)) return true;
    for (const peer of this.#peers) if (peer !== this && peer.isConnected) peer.receive(subject, payload);
    return true;
  }

  subscribe(subject: string, onMessage: (message: BusMessage) => void): () => void {
    const subscribed = { subject, onMessage };
    this.#subscribed.add(subscribed);
    return () => void this.#subscribed.delete(subscribed);
  }

  async request(): Promise<undefined> {}

  receive(subject: string, payload: Uint8Array): void {
    for (const each of this.#subscribed)
      if (each.subject === subject) each.onMessage({ payload, respond: () => {} });
  }
}

/** The devices of one node. */
class OwnDevices {
  readonly #all = new Map<string, DeviceSnapshot>();
  readonly #watchers = new Set<(deviceId: string) => void>();

  set(deviceId: string, changes: Partial<DeviceSnapshot> = {}): void {
    const state = { mode: 0, playing: undefined, leds: ledsOf({ mode: 0, playing: undefined }), held: [] };
    const seen = { connectedAt: 5, createdAt: 1, seenAt: 5, report: undefined };
    this.#all.set(deviceId, { deviceId, ...state, ...seen, ...changes });
    for (const watcher of this.#watchers) watcher(deviceId);
  }

  forget(deviceId: string): void {
    this.#all.delete(deviceId);
    for (const watcher of this.#watchers) watcher(deviceId);
  }

  watch(onChange: (deviceId: string) => void): () => void {
    this.#watchers.add(onChange);
    return () => void this.#watchers.delete(onChange);
  }

  ids(): Iterable<string> {
    return this.#all.keys();
  }

  peek(deviceId: string): DeviceSnapshot | undefined {
    return this.#all.get(deviceId);
  }
}

interface TestNode {
  bus: MemoryBus;
  own: OwnDevices;
  recorded: string[];
  cluster: ClusterDevices;
}

let nodes: TestNode[];

function startNode(name: string, peers: MemoryBus[]): TestNode {
  const bus = new MemoryBus(peers);
  const own = new OwnDevices();
  const recorded: string[] = [];
  const recordings = { running: () => recorded.map((hwid) => ({ hwid })) };
  const cluster = new ClusterDevices(own, recordings, bus);
  cluster.open(name);
  return { bus, own, recorded, cluster };
}

beforeEach(() => {
  const peers: MemoryBus[] = [];
  nodes = ["a", "b"].map((name) => startNode(name, peers));
});

afterEach(() => {
  for (const { cluster } of nodes) cluster.close();
});

const everything = { connected: undefined, after: "", limit: 1_000 };

function listed({ cluster }: TestNode): (string | null)[][] {
  return cluster.list(everything).map(({ deviceId, node }) => [deviceId, node]);
}

describe("devices of several nodes", () => {
  test("are one list, in which a connected device counts more than what another node remembers", async () => {
    const [a, b] = nodes as [TestNode, TestNode];
    a.own.set("one");
    a.own.set("moved", { connectedAt: undefined, seenAt: 9 });
    b.own.set("moved");
    b.own.set("away", { connectedAt: undefined, seenAt: 3 });
    a.own.set("away", { connectedAt: undefined, seenAt: 2 });
    await a.cluster.complete();
    expect(a.cluster.isComplete).toBe(true);
    expect(listed(a)).toEqual([
      ["away", "b"],
      ["moved", "b"],
      ["one", "a"],
    ]);
    expect(a.cluster.list({ ...everything, connected: true }).length).toBe(2);
    expect(a.cluster.list({ ...everything, limit: 1, after: "away" }).length).toBe(1);
  });

  test("are sent only while another node wants them", async () => {
    const [a, b] = nodes as [TestNode, TestNode];
    b.own.set("one");
    await Bun.sleep(3 * deviceFeedMs);
    expect(b.bus.sent.includes("presence.devices")).toBe(false);
    const end = a.cluster.watch(() => {});
    await until("the device", limitMs, () => listed(a).length === 1);
    end();
  });

  test("change, and go, at whoever watches", async () => {
    const [a, b] = nodes as [TestNode, TestNode];
    const changed: string[] = [];
    const end = a.cluster.watch((id) => changed.push(id));
    b.own.set("one");
    await until("the device", limitMs, () => listed(a).length === 1);
    b.own.set("one", { mode: 3 });
    b.recorded.push("one");
    await until("the mode", limitMs, () => a.cluster.peek("one")?.mode === 3);
    await until("the recording", limitMs, () => [...a.cluster.running()].length === 1);
    changed.length = 0;
    b.own.forget("one");
    await until("its end", limitMs, () => changed.includes("one") && listed(a).length === 0);
    end();
  });

  test("are asked for again when a message was lost", async () => {
    const [a, b] = nodes as [TestNode, TestNode];
    const end = a.cluster.watch(() => {});
    b.own.set("one");
    b.own.set("two");
    await until("the devices", limitMs, () => listed(a).length === 2);
    b.bus.lost.add("presence.devices");
    const sent = b.bus.sent.length;
    b.own.set("one", { mode: 2 });
    b.own.forget("two");
    await until("the lost message", limitMs, () => b.bus.sent.slice(sent).includes("presence.devices"));
    b.bus.lost.clear();
    // The next keepalive says how much was sent.
    await until("the mode", limitMs, () => a.cluster.peek("one")?.mode === 2 && listed(a).length === 1);
    expect(a.cluster.isComplete).toBe(true);
    end();
  });

  test("come in several messages if there are many", async () => {
    const [a, b] = nodes as [TestNode, TestNode];
    for (let at = 0; at < 1_000; at++) b.own.set(`d${at}`);
    await a.cluster.complete();
    expect([listed(a).length, a.cluster.isComplete]).toEqual([1_000, true]);
  });

  test("are incomplete without the bus, and those of others go", async () => {
    const [a, b] = nodes as [TestNode, TestNode];
    const end = a.cluster.watch(() => {});
    a.own.set("here");
    b.own.set("there");
    await until("the devices", limitMs, () => listed(a).length === 2);
    a.bus.isConnected = false;
    await until("those of others to go", limitMs, () => listed(a).length === 1);
    await a.cluster.complete();
    expect(a.cluster.isComplete).toBe(false);
    a.bus.isConnected = true;
    await until("them to be back", limitMs, () => listed(a).length === 2 && a.cluster.isComplete);
    end();
  });

  test("are those of the server on a single machine", async () => {
    const own = new OwnDevices();
    own.set("one");
    const cluster = new ClusterDevices(own, { running: () => [] }, undefined);
    cluster.open(undefined);
    await cluster.complete();
    expect(cluster.isComplete).toBe(true);
    expect(cluster.list(everything)).toMatchObject([{ deviceId: "one", node: null }]);
  });
});
