/**
 * The devices of other nodes, while somebody here wants them. Every node sends keepalives, so it is known whose lists are
 * missing, and a dead node's devices go after a few seconds.
 */
import {
  devicesAnswerMs,
  listenLeaseMs,
  listenRenewalMs,
  maxPresentNodes,
  remoteAbsenceMs,
} from "../../../base/limits/bus.ts";
import type { Bus } from "../../../bus/bus.ts";
import {
  decodePart,
  decodeKeepalive,
  encodeKeepalive,
  encodeWanted,
  type PresencePart,
  type PresenceKeepalive,
} from "../../../wire/cluster/presence.ts";
import type { DeviceSnapshot } from "../device-streams.ts";
import { snapshotOf } from "./snapshots.ts";

interface Node {
  heardAt: number;
  devices: Map<string, DeviceSnapshot>;
  /** Of an earlier list, and not in this one so far. */
  unconfirmed: Set<string>;
  recorded: readonly string[];
  list: number;
  sent: number;
  isWhole: boolean;
}

export interface PresenceHost {
  /** What this node says of its own list. */
  position(): { list: number; sent: number };
  /** The state of a device of another node may have changed. */
  changed(deviceId: string): void;
}

export class RemoteDevices {
  readonly #bus: Bus;
  readonly #node: string;
  readonly #host: PresenceHost;
  readonly #unsubscribe: () => void;
  readonly #timer: Timer;
  readonly #nodes = new Map<string, Node>();
  readonly #waiting = new Set<() => void>();
  /** Ends the subscription to devices; undefined while nobody wants them. */
  #unfollow: (() => void) | undefined;
  #saidAt = 0;
  /** For whole lists. */
  #askedAt = -Infinity;
  /** How many want the devices for as long as they say, and until when those who want them once. */
  #wanters = 0;
  #wantedUntil = 0;
  #isConnected = false;
  /** The other nodes have had time to answer the first keepalive of this one. */
  #isSettledAt = Infinity;

  constructor(bus: Bus, node: string, host: PresenceHost) {
    this.#bus = bus;
    this.#node = node;
    this.#host = host;
    this.#unsubscribe = bus.subscribe("presence.nodes", ({ payload }) =>
      this.#receiveKeepalive(decodeKeepalive(payload)),
    );
    this.#timer = setInterval(() => this.#tick(), tickMs);
    this.#tick();
  }

  /** The nodes with what is known of their devices. */
  *all(): Iterable<{
    node: string;
    devices: ReadonlyMap<string, DeviceSnapshot>;
    recorded: readonly string[];
  }> {
    for (const [node, { devices, recorded }] of this.#nodes) yield { node, devices, recorded };
  }

  /** Every node that lives has sent all of its devices. */
  get isComplete(): boolean {
    if (!this.#isConnected || !this.#bus.isConnected || performance.now() < this.#isSettledAt) return false;
    return [...this.#nodes.values()].every(({ isWhole }) => isWhole);
  }

  /** Keeps the devices up to date until the result is called. */
  want(): () => void {
    this.#wanters += 1;
    this.#follow();
    return () => void (this.#wanters -= 1);
  }

  /** Resolves when the devices of all nodes are here, or after a time limit. */
  async complete(): Promise<void> {
    const now = performance.now();
    const deadline = now + devicesAnswerMs;
    this.#wantedUntil = now + listenLeaseMs;
    this.#follow();
    while (this.#bus.isConnected && !this.isComplete) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) return;
      await this.#untilHeard(Math.min(leftMs, pollMs));
    }
  }

  /** Other nodes forget this one at once. */
  close(): void {
    clearInterval(this.#timer);
    this.#keepAlive({ isLeaving: true });
    this.#unsubscribe();
    this.#unfollow?.();
    this.#nodes.clear();
    this.#heard();
  }

  get #isWanted(): boolean {
    return this.#wanters > 0 || performance.now() < this.#wantedUntil;
  }

  #tick(): void {
    const isNew = this.#bus.isConnected && !this.#isConnected;
    this.#isConnected = this.#bus.isConnected;
    if (!this.#isConnected) return this.#forgetSilent(Infinity);
    if (isNew) this.#isSettledAt = performance.now() + settleMs;
    this.#forgetSilent(performance.now() - remoteAbsenceMs);
    if (!this.#isWanted) this.#rest();
    if (!isNew && performance.now() - this.#saidAt < listenRenewalMs) return;
    this.#keepAlive({ isNew });
    if (this.#isWanted) this.#ask(isNew);
  }

  #follow(): void {
    if (this.#unfollow !== undefined) return;
    const receive = (payload: Uint8Array) => this.#receivePart(decodePart(payload));
    this.#unfollow = this.#bus.subscribe("presence.devices", ({ payload }) => receive(payload));
    this.#ask(true);
  }

  /** What changes from now on is missed. */
  #rest(): void {
    this.#unfollow?.();
    this.#unfollow = undefined;
    for (const node of this.#nodes.values()) {
      Object.assign(node, emptyList());
      node.devices.clear();
    }
  }

  #keepAlive({ isNew = false, isLeaving = false }): void {
    this.#saidAt = performance.now();
    const keepalive: PresenceKeepalive = { node: this.#node, ...this.#host.position(), isNew, isLeaving };
    this.#bus.publish("presence.nodes", encodeKeepalive(keepalive));
  }

  /** `isWhole`: a part of a list was missed. */
  #ask(isWhole: boolean): void {
    if (isWhole) this.#askedAt = performance.now();
    this.#bus.publish("presence.wanted", encodeWanted({ node: this.#node, isWhole }));
  }

  /** If the same part is lost again, the next keepalive says so: lists must not fill the bus. */
  #askAgain(): void {
    if (performance.now() - this.#askedAt >= askAgainMs) this.#ask(true);
  }

  #receiveKeepalive(keepalive: PresenceKeepalive | undefined): void {
    if (keepalive === undefined || keepalive.node === this.#node) return;
    if (keepalive.isLeaving) return this.#forget(keepalive.node);
    const isUnknown = !this.#nodes.has(keepalive.node);
    const node = this.#enter(keepalive.node);
    if (keepalive.isNew) this.#keepAlive({});
    if (this.#unfollow === undefined) return;
    const isBehind = keepalive.list !== node.list || keepalive.sent !== node.sent;
    if (isUnknown || isBehind) this.#askAgain();
    if (isBehind) node.isWhole = false;
  }

  #receivePart(part: PresencePart | undefined): void {
    if (part === undefined || part.node === this.#node) return;
    const node = this.#enter(part.node);
    if (part.sent === 1) startList(node, part.list);
    else if (part.list !== node.list || part.sent !== node.sent + 1) {
      node.isWhole = false;
      if (part.isWhole) this.#askAgain();
      return;
    }
    node.sent = part.sent;
    this.#apply(node, part);
  }

  #apply(node: Node, { devices, gone, recorded, isWhole }: PresencePart): void {
    const changed = new Set<string>(gone);
    for (const id of gone) node.devices.delete(id);
    for (const device of devices) {
      node.devices.set(device.deviceId, snapshotOf(device));
      node.unconfirmed.delete(device.deviceId);
      changed.add(device.deviceId);
    }
    if (recorded !== null) {
      for (const id of new Set(recorded).symmetricDifference(new Set(node.recorded))) changed.add(id);
      node.recorded = recorded;
    }
    if (isWhole) for (const id of takeAll(node.unconfirmed)) if (node.devices.delete(id)) changed.add(id);
    node.isWhole ||= isWhole;
    for (const id of changed) this.#host.changed(id);
    this.#heard();
  }

  #enter(name: string): Node {
    const known = this.#nodes.get(name);
    if (known !== undefined) {
      known.heardAt = performance.now();
      return known;
    }
    if (this.#nodes.size >= maxPresentNodes) this.#forget(this.#nodes.keys().next().value!);
    const node: Node = { heardAt: performance.now(), devices: new Map(), ...emptyList() };
    this.#nodes.set(name, node);
    return node;
  }

  #forgetSilent(since: number): void {
    for (const [name, { heardAt }] of this.#nodes) if (heardAt < since) this.#forget(name);
  }

  #forget(name: string): void {
    const node = this.#nodes.get(name);
    if (node === undefined) return;
    this.#nodes.delete(name);
    for (const id of [...node.devices.keys(), ...node.recorded]) this.#host.changed(id);
    this.#heard();
  }

  async #untilHeard(limitMs: number): Promise<void> {
    const heard = Promise.withResolvers<void>();
    this.#waiting.add(heard.resolve);
    const timer = setTimeout(heard.resolve, limitMs);
    await heard.promise;
    clearTimeout(timer);
    this.#waiting.delete(heard.resolve);
  }

  #heard(): void {
    for (const resolve of this.#waiting) resolve();
  }
}

/** A new connection, and silence, are noticed after this long. */
const tickMs = 250;
const settleMs = 500;
const askAgainMs = 1_000;
const pollMs = 100;

function emptyList(): Omit<Node, "heardAt" | "devices"> {
  return { unconfirmed: new Set(), recorded: [], list: 0, sent: 0, isWhole: false };
}

function startList(node: Node, list: number): void {
  node.unconfirmed = new Set(node.devices.keys());
  node.list = list;
  node.isWhole = false;
}

function takeAll(ids: Set<string>): string[] {
  const all = [...ids];
  ids.clear();
  return all;
}
