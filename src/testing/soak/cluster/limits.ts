/** Memory and queues of each server while a soak runs: they are looked at every few seconds, and must stay within limits. */
import { maxFetches, maxWaitingFetches } from "../../../base/limits/archive.ts";
import { MiB } from "../../../base/limits/units.ts";
import { scrape } from "../../harness/http/exposition.ts";
import type { Findings } from "./findings.ts";
import type { Machine, Machines } from "./machines.ts";

export interface Sizes {
  /** Resident memory without mapped files. */
  memoryBytes: number;
  /** What waits to be archived, and to be removed from the archive. */
  queued: number;
  removals: number;
  /** Pieces that are fetched from the archive, or wait for it. */
  fetches: number;
  /** Uploads that are under way or were interrupted. */
  unfinished: number;
}

const sampleMs = 3_000;
/** No fault lasts longer, and a failed put is tried again by then. */
const longestStallSeconds = 60;
const segmentSeconds = 5;

/**
 * What sizes may come to, however long it runs.
 *
 * Memory: a server had up to 240 MB after a thousand uploads, and what it has under way is bounded by its rings. A leak of
 * one upload in ten would pass the limit in half an hour.
 *
 * Queues: a client waits for the archive before it goes on, so it has one upload there, and one that another server was
 * given; a device makes a segment every few seconds, and a removal comes with an upload.
 */
export function limitsOf(clients: number, devices: number): Sizes {
  const segments = (devices * longestStallSeconds) / segmentSeconds;
  return {
    memoryBytes: 512 * MiB,
    queued: 4 * clients + segments,
    removals: clients * longestStallSeconds + segments,
    fetches: maxFetches + maxWaitingFetches,
    unfinished: 4 * clients + 50,
  };
}

export class LimitsWatch {
  /** The largest of all servers. */
  readonly largest: Sizes = { memoryBytes: 0, queued: 0, removals: 0, fetches: 0, unfinished: 0 };
  readonly #machines: Machines;
  readonly #limits: Sizes;
  readonly #findings: Findings;
  readonly #exceeded = new Set<string>();

  constructor(machines: Machines, limits: Sizes, findings: Findings) {
    this.#machines = machines;
    this.#limits = limits;
    this.#findings = findings;
  }

  async run(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await Promise.all(this.#machines.all.map((machine) => this.#sample(machine)));
      await Bun.sleep(sampleMs);
    }
  }

  async #sample(machine: Machine): Promise<void> {
    const sizes = await sizesOf(machine);
    if (sizes === undefined) return;
    for (const name of Object.keys(sizes) as (keyof Sizes)[]) {
      this.largest[name] = Math.max(this.largest[name], sizes[name]);
      const key = `${machine.name} ${name}`;
      if (sizes[name] <= this.#limits[name] || this.#exceeded.has(key)) continue;
      this.#exceeded.add(key);
      this.#findings.add(`${machine.name}: ${name} is past its limit`, { sizes, limit: this.#limits[name] });
    }
  }
}

/** Undefined of a server that does not answer. */
export async function sizesOf({ server, origin }: Machine): Promise<Sizes | undefined> {
  if (!server.isRunning) return undefined;
  try {
    const [metrics, { ownBytes }] = await Promise.all([scrape(origin), server.memory()]);
    const sum = (name: string, labels: Record<string, string> = {}) => metrics!.sum(name, labels) ?? 0;
    return {
      memoryBytes: ownBytes,
      queued: sum("wavecache_archive_objects", { state: "queued" }),
      removals: sum("wavecache_archive_removals"),
      fetches: sum("wavecache_archive_fetches"),
      unfinished: sum("wavecache_streams") - sum("wavecache_streams", { state: "finished" }),
    };
  } catch {
    return undefined;
  }
}
