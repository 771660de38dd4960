/**
 * The devices of all nodes. Of a device that several nodes know, the one that it is connected to counts, and otherwise the one
 * that has seen it last. On a single machine these are the devices of the server.
 */
import { randomUUID } from "node:crypto";
import type { Bus } from "../../../bus/bus.ts";
import type { DeviceSnapshot } from "../device-streams.ts";
import type { Devices } from "../devices.ts";
import { DeviceSharing } from "./device-sharing.ts";
import { RemoteDevices } from "./remote-devices.ts";

/** A device, and the node that it is or was connected to; null on a single machine. */
export interface PresentDevice extends DeviceSnapshot {
  node: string | null;
}

export interface DeviceQuery {
  /** True: only connected devices; false: only the others; undefined: all. */
  connected: boolean | undefined;
  /** Only ids that sort after this one. */
  after: string;
  limit: number;
  /** Leaves out the other devices; all are listed without it. */
  isVisible?: (deviceId: string) => boolean;
}

/** The recordings of this node that run. */
export interface OwnRecordings {
  running(): Iterable<{ readonly hwid: string | null }>;
}

type OwnDevices = Pick<Devices, "watch" | "ids" | "peek">;

export class ClusterDevices {
  readonly #own: OwnDevices;
  readonly #recordings: OwnRecordings;
  readonly #bus: Bus | undefined;
  readonly #watchers = new Set<(deviceId: string) => void>();
  #node: string | null = null;
  #remote: RemoteDevices | undefined;
  #sharing: DeviceSharing | undefined;

  /** `bus` reaches the other nodes; undefined on a single machine. */
  constructor(own: OwnDevices, recordings: OwnRecordings, bus: Bus | undefined) {
    this.#own = own;
    this.#recordings = recordings;
    this.#bus = bus;
  }

  /** `node` is the id of this node in a catalog that nodes share. Call it once the store is open. */
  open(node: string | undefined): void {
    const bus = this.#bus;
    this.#node = node ?? (bus === undefined ? null : randomUUID());
    if (bus === undefined) return;
    const shared = { devices: this.#own, recorded: () => this.#recordedHere() };
    const sharing = new DeviceSharing(bus, this.#node!, shared);
    this.#sharing = sharing;
    this.#remote = new RemoteDevices(bus, this.#node!, {
      position: () => sharing.position,
      changed: (deviceId) => this.#changed(deviceId),
    });
  }

  close(): void {
    this.#remote?.close();
    this.#sharing?.close();
  }

  /** Of this node. */
  get node(): string | null {
    return this.#node;
  }

  /** Whether the devices of every node are known that lives; false without NATS, and if a node does not answer. */
  get isComplete(): boolean {
    return this.#bus === undefined || this.#remote?.isComplete === true;
  }

  /** Resolves when they are, or after a time limit. */
  async complete(): Promise<void> {
    await this.#remote?.complete();
  }

  /** Calls `onChange` with the id of each device that may have changed, or was forgotten. Returns what ends that. */
  watch(onChange: (deviceId: string) => void): () => void {
    this.#watchers.add(onChange);
    const ends = [this.#own.watch(onChange), this.#remote?.want()];
    return () => {
      this.#watchers.delete(onChange);
      for (const end of ends) end?.();
    };
  }

  ids(): Iterable<string> {
    const ids = new Set(this.#own.ids());
    for (const { devices } of this.#others()) for (const id of devices.keys()) ids.add(id);
    return ids;
  }

  /** Undefined if no node knows it. */
  peek(deviceId: string): PresentDevice | undefined {
    const own = this.#own.peek(deviceId);
    let found = own && { ...own, node: this.#node };
    for (const { node, devices } of this.#others()) {
      const other = devices.get(deviceId);
      if (other !== undefined && (found === undefined || isNewer(other, found))) found = { ...other, node };
    }
    return found;
  }

  /** Returns devices, sorted by id. */
  list({ connected, after, limit, isVisible = () => true }: DeviceQuery): PresentDevice[] {
    const page: PresentDevice[] = [];
    for (const id of [...this.ids()].filter((each) => each > after && isVisible(each)).toSorted()) {
      if (page.length === limit) break;
      const device = this.peek(id);
      if (device === undefined) continue;
      if (connected === undefined || connected === (device.connectedAt !== undefined)) page.push(device);
    }
    return page;
  }

  /** Recordings in progress, of all nodes while their devices are wanted. */
  *running(): Iterable<{ readonly hwid: string | null }> {
    yield* this.#recordings.running();
    for (const { recorded } of this.#others()) for (const hwid of recorded) yield { hwid };
  }

  #others(): ReturnType<RemoteDevices["all"]> | [] {
    return this.#remote?.all() ?? [];
  }

  #changed(deviceId: string): void {
    for (const watcher of this.#watchers) watcher(deviceId);
  }

  #recordedHere(): Set<string> {
    const ids = new Set<string>();
    for (const { hwid } of this.#recordings.running()) if (hwid !== null) ids.add(hwid);
    return ids;
  }
}

function isNewer(one: DeviceSnapshot, other: DeviceSnapshot): boolean {
  const [isHere, isThere] = [one.connectedAt !== undefined, other.connectedAt !== undefined];
  return isHere === isThere ? one.seenAt > other.seenAt : isHere;
}
