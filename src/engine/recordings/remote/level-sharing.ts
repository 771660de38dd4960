/** Sends the levels of this node's recordings to other nodes, ten times a second, while they want them. */
import { listenLeaseMs } from "../../../base/limits/bus.ts";
import { levelBlockMs } from "../../../base/limits/peaks.ts";
import type { Bus, BusMessage } from "../../../bus/bus.ts";
import type { Level } from "../../../codec/peaks/level.ts";
import {
  decodeLevelsWanted,
  encodeLevelNames,
  encodeLevelValues,
  type NumberedLevel,
} from "../../../wire/cluster/levels.ts";

/** A recording in progress, at this node or at another one. */
export interface Metered {
  readonly hwid: string | null;
  readonly handshake: { readonly streamId: number };
  /** How many levels there were; undefined if it shows none. */
  readonly levelBlocks: number | undefined;
  readonly level: Level | undefined;
}

export class LevelSharing {
  readonly #bus: Bus;
  readonly #running: () => Iterable<Metered>;
  readonly #unsubscribe: () => void;
  /** When the lease of each node ends. */
  readonly #leases = new Map<string, number>();
  #timer: Timer | undefined;
  /** The recordings of the list that was sent last, with the levels of each that were sent. */
  #listed: Metered[] = [];
  #sentBlocks: (number | undefined)[] = [];
  #list = 0;

  constructor(bus: Bus, running: () => Iterable<Metered>) {
    this.#bus = bus;
    this.#running = running;
    this.#unsubscribe = bus.subscribe("levels.wanted", (message) => this.#receive(message));
  }

  close(): void {
    this.#unsubscribe();
    this.#stop();
  }

  #receive({ payload }: BusMessage): void {
    const node = decodeLevelsWanted(payload)?.node;
    if (node === undefined) return;
    // It does not have the list.
    if (!this.#leases.has(node)) this.#listed = [];
    this.#leases.set(node, performance.now() + listenLeaseMs);
    this.#timer ??= setInterval(() => this.#send(), levelBlockMs);
  }

  #send(): void {
    const now = performance.now();
    for (const [node, end] of this.#leases) if (end < now) this.#leases.delete(node);
    if (this.#leases.size === 0) return this.#stop();
    const running = [...this.#running()];
    if (running.length === 0) return;
    if (!isSame(running, this.#listed)) this.#sendList(running);
    const levels = running.flatMap((recording, index) => this.#newLevel(recording, index));
    if (levels.length > 0)
      this.#bus.publish("levels.values", encodeLevelValues({ list: this.#list, levels }));
  }

  /** A list that is lost is missed only until the next one: nodes ignore values of a list that they do not have. */
  #sendList(running: Metered[]): void {
    this.#list = crypto.getRandomValues(new Uint32Array(1))[0]!;
    this.#sentBlocks = [];
    const names = running.map(({ hwid, handshake }): [string | null, number] => [hwid, handshake.streamId]);
    const isSent = this.#bus.publish("levels.names", encodeLevelNames({ list: this.#list, names }));
    this.#listed = isSent ? running : [];
  }

  #newLevel({ levelBlocks, level }: Metered, index: number): NumberedLevel[] {
    if (level === undefined || levelBlocks === undefined || this.#sentBlocks[index] === levelBlocks)
      return [];
    this.#sentBlocks[index] = levelBlocks;
    return [{ index, ...level }];
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#listed = [];
  }
}

function isSame(one: readonly Metered[], other: readonly Metered[]): boolean {
  return one.length === other.length && one.every((each, index) => each === other[index]);
}
