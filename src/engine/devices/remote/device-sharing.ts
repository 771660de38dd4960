/** Sends the devices of this node to others while they want them: all of them, then those that change. */
import { deviceFeedMs } from "../../../base/limits/devices.ts";
import { listenLeaseMs, sharedDevicesAtOnce } from "../../../base/limits/bus.ts";
import type { Bus } from "../../../bus/bus.ts";
import { decodeWanted, encodePart, type PresencePart } from "../../../wire/cluster/presence.ts";
import type { Devices } from "../devices.ts";
import { remoteOf } from "./snapshots.ts";

export interface SharedDevices {
  devices: Pick<Devices, "watch" | "ids" | "peek">;
  /** The hardware ids that this node records. */
  recorded(): ReadonlySet<string>;
}

export class DeviceSharing {
  readonly #bus: Bus;
  readonly #node: string;
  readonly #shared: SharedDevices;
  readonly #unsubscribe: () => void;
  /** When the lease of each node ends. */
  readonly #leases = new Map<string, number>();
  #unwatch: () => void = () => {};
  #timer: Timer | undefined;
  /** 0 before the first part. */
  #list = 0;
  #sent = 0;
  /** Devices whose latest state is not sent. */
  #pending = new Set<string>();
  #recorded: ReadonlySet<string> | undefined;

  constructor(bus: Bus, node: string, shared: SharedDevices) {
    this.#bus = bus;
    this.#node = node;
    this.#shared = shared;
    this.#unsubscribe = bus.subscribe("presence.wanted", ({ payload }) => this.#receive(payload));
  }

  /** The list, and its parts so far. */
  get position(): { list: number; sent: number } {
    return { list: this.#list, sent: this.#sent };
  }

  close(): void {
    this.#unsubscribe();
    this.#stop();
  }

  #receive(payload: Uint8Array): void {
    const wanted = decodeWanted(payload);
    if (wanted === undefined) return;
    const isNew = !this.#leases.has(wanted.node);
    this.#leases.set(wanted.node, performance.now() + listenLeaseMs);
    if (isNew || wanted.isWhole) this.#begin();
  }

  /** A whole list follows with the next tick, for everybody who asks until then. */
  #begin(): void {
    this.#list = 0;
    if (this.#timer !== undefined) return;
    this.#unwatch = this.#shared.devices.watch((id) => this.#pending.add(id));
    this.#timer = setInterval(() => this.#tick(), deviceFeedMs);
  }

  #tick(): void {
    const now = performance.now();
    for (const [node, end] of this.#leases) if (end < now) this.#leases.delete(node);
    if (this.#leases.size === 0) return this.#stop();
    if (this.#list === 0) this.#startList();
    this.#sendPending();
  }

  #startList(): void {
    this.#list = crypto.getRandomValues(new Uint32Array(1))[0]! || 1;
    this.#sent = 0;
    this.#recorded = undefined;
    this.#pending = new Set(this.#shared.devices.ids());
  }

  /** The first part of a list is sent even if there is no device. */
  #sendPending(): void {
    const recorded = this.#changedRecorded();
    if (this.#sent > 0 && this.#pending.size === 0 && recorded === null) return;
    const ids = [...this.#pending];
    this.#pending.clear();
    for (let at = 0; at === 0 || at < ids.length; at += sharedDevicesAtOnce) {
      const isWhole = at + sharedDevicesAtOnce >= ids.length;
      this.#sendPart(ids.slice(at, at + sharedDevicesAtOnce), at === 0 ? recorded : null, isWhole);
    }
  }

  #sendPart(ids: readonly string[], recorded: string[] | null, isWhole: boolean): void {
    this.#sent += 1;
    const found = ids.map((id) => ({ id, device: this.#shared.devices.peek(id) }));
    const part: PresencePart = {
      node: this.#node,
      list: this.#list,
      sent: this.#sent,
      devices: found.flatMap(({ device }) => (device === undefined ? [] : [remoteOf(device)])),
      gone: found.filter(({ device }) => device === undefined).map(({ id }) => id),
      recorded,
      isWhole,
    };
    this.#bus.publish("presence.devices", encodePart(part));
  }

  /** Null if they are the same as in the part before. */
  #changedRecorded(): string[] | null {
    const recorded = this.#shared.recorded();
    if (this.#recorded?.symmetricDifference(recorded).size === 0) return null;
    this.#recorded = recorded;
    return [...recorded];
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#unwatch();
    this.#list = 0;
    this.#sent = 0;
    this.#pending.clear();
  }
}
