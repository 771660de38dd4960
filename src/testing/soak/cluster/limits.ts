/** Memory and queues while a soak runs: they are looked at every few seconds, and must stay within limits. */
import { Client } from "pg";
import { maxFetches, maxWaitingFetches } from "../../../base/limits/archive.ts";
import { defaultMaxEvents, eventsPrunedAtOnce } from "../../../base/limits/events.ts";
import { MiB } from "../../../base/limits/units.ts";
import { scrape } from "../../harness/http/exposition.ts";
import type { Findings } from "./findings.ts";
import type { Machine, Machines } from "./machines.ts";

/** Of one server. */
export interface ServerSizes {
  /** Resident memory without mapped files. */
  memoryBytes: number;
  /** Objects and recordings that wait to be archived, and objects that wait to be removed from the archive. */
  queued: number;
  removals: number;
  /** Pieces that are fetched from the archive, or wait for it. */
  fetches: number;
  /** Uploads that are under way or were interrupted. */
  unfinished: number;
}

/** Rows of the catalog that all servers share. */
export interface CatalogSizes {
  /** The outbox. */
  events: number;
  /** What servers have to do for others: the files of what was removed elsewhere. */
  tasks: number;
  /** Unfinished uploads that the archive has parts of. */
  partedUploads: number;
}

export type Sizes = ServerSizes & CatalogSizes;

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
    events: defaultMaxEvents + eventsPrunedAtOnce,
    tasks: clients * longestStallSeconds,
    partedUploads: 4 * clients + 50,
  };
}

export class LimitsWatch {
  /** The largest of all servers. */
  readonly largest: Partial<Sizes> = {};
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
      const { all, catalogUrl } = this.#machines;
      for (const machine of all) this.#compare(machine.name, await serverSizes(machine));
      this.#compare("the catalog", await catalogSizes(catalogUrl));
      await Bun.sleep(sampleMs);
    }
  }

  #compare(where: string, sizes: Partial<Sizes> = {}): void {
    for (const name of Object.keys(sizes) as (keyof Sizes)[]) {
      const size = sizes[name]!;
      this.largest[name] = Math.max(this.largest[name] ?? 0, size);
      const key = `${where} ${name}`;
      if (size <= this.#limits[name] || this.#exceeded.has(key)) continue;
      this.#exceeded.add(key);
      this.#findings.add(`${where}: ${name} is past its limit`, { sizes, limit: this.#limits[name] });
    }
  }
}

/** Undefined of a server that does not answer. */
export async function serverSizes({ server, origin }: Machine): Promise<ServerSizes | undefined> {
  if (!server.isRunning) return undefined;
  try {
    const [metrics, { ownBytes }] = await Promise.all([scrape(origin), server.memory()]);
    const sum = (name: string, labels: Record<string, string> = {}) => metrics!.sum(name, labels) ?? 0;
    const queued = { state: "queued" };
    return {
      memoryBytes: ownBytes,
      queued: sum("wavecache_archive_objects", queued) + sum("wavecache_archive_recordings", queued),
      removals: sum("wavecache_archive_removals"),
      fetches: sum("wavecache_archive_fetches"),
      unfinished: sum("wavecache_streams") - sum("wavecache_streams", { state: "finished" }),
    };
  } catch {
    return undefined;
  }
}

const countRows = `SELECT
  (SELECT count(*)::integer FROM events) AS "events",
  (SELECT count(*)::integer FROM node_tasks) AS "tasks",
  (SELECT count(*)::integer FROM parted_uploads) AS "partedUploads"`;

/** By a connection of its own, which no fault cuts. */
export async function catalogSizes(url: string): Promise<CatalogSizes> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<CatalogSizes>(countRows);
    return rows[0]!;
  } finally {
    await client.end();
  }
}
