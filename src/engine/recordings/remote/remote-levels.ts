/** The levels of recordings at other nodes, while somebody follows levels here. */
import { randomUUID } from "node:crypto";
import { listenRenewalMs, maxLevelLists, remoteAbsenceMs } from "../../../base/limits/bus.ts";
import { Lru } from "../../../base/lru.ts";
import type { Bus } from "../../../bus/bus.ts";
import type { Level } from "../../../codec/peaks/level.ts";
import { decodeLevelNames, decodeLevelValues, encodeLevelsWanted } from "../../../wire/cluster/levels.ts";
import type { Metered } from "./level-sharing.ts";

interface RemoteMeter extends Metered {
  levelBlocks: number;
  level: Level | undefined;
}

interface List {
  meters: RemoteMeter[];
  heardAt: number;
}

export class RemoteLevels {
  readonly #bus: Bus;
  readonly #node = randomUUID();
  /** By number. A node that sends another list lets the one before fall silent. */
  readonly #lists = new Lru<List>(maxLevelLists, () => {});
  #timer: Timer | undefined;
  #unsubscribe: (() => void)[] = [];

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  /** Those that were heard of lately. */
  *metered(): Iterable<Metered> {
    const since = performance.now() - remoteAbsenceMs;
    for (const { meters, heardAt } of this.#lists.values()) if (heardAt > since) yield* meters;
  }

  /** Somebody follows levels here, or nobody any more. */
  want(isWanted: boolean): void {
    if (isWanted === (this.#timer !== undefined)) return;
    if (!isWanted) return this.close();
    this.#unsubscribe = [
      this.#bus.subscribe("levels.names", ({ payload }) => this.#receiveNames(payload)),
      this.#bus.subscribe("levels.values", ({ payload }) => this.#receiveValues(payload)),
    ];
    this.#timer = setInterval(() => this.#ask(), listenRenewalMs);
    this.#ask();
  }

  /** Other nodes need not learn of it: the lease ends. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    this.#lists.clear();
  }

  #ask(): void {
    this.#bus.publish("levels.wanted", encodeLevelsWanted({ node: this.#node }));
  }

  #receiveNames(message: Uint8Array): void {
    const found = decodeLevelNames(message);
    if (found === undefined) return;
    const meters = found.names.map(([hwid, streamId]): RemoteMeter => ({
      hwid,
      handshake: { streamId },
      levelBlocks: 0,
      level: undefined,
    }));
    this.#lists.set(String(found.list), { meters, heardAt: performance.now() });
  }

  #receiveValues(message: Uint8Array): void {
    const values = decodeLevelValues(message);
    const list = values && this.#lists.get(String(values.list));
    if (list === undefined) return;
    list.heardAt = performance.now();
    for (const { index, ...level } of values!.levels) {
      const meter = list.meters[index];
      if (meter === undefined) continue;
      meter.level = level;
      meter.levelBlocks += 1;
    }
  }
}
