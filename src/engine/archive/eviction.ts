/**
 * Drops local copies of what is archived when the local bytes reach their limit, or a disk gets full: least recently used
 * first, never one that is being read, or that is pinned, or that the archive does not have.
 */
import { stat, statfs } from "node:fs/promises";
import { evictionEnd, evictionTickMs, maxEvictedTogether } from "../../base/limits/archive.ts";
import type { Log } from "../../base/log/log.ts";
import { RateLimitedLog } from "../../base/log/rate-limited-log.ts";
import { isMissing } from "../../store/layout.ts";
import type { Copies, CopiesCursor } from "./copies.ts";
import type { FetchedObjects } from "./fetched-objects.ts";

export interface EvictionLimits {
  /** Bytes of the cache at which copies of objects begin to go. */
  readonly localBytes: number;
  /** Bytes of the cache and of local samples of recordings together; undefined for no limit. */
  readonly totalBytes: number | undefined;
  /** Undefined for none. */
  readonly minFreeBytes: number | undefined;
}

export interface EvictionHost {
  objects: Copies;
  recordings: Copies;
  fetched: Pick<FetchedObjects, "drop" | "tidy">;
  folders: { readonly cache: string; readonly recordings: string };
  /** Local bytes now. */
  localBytes(): { cache: number; recordings: number };
}

/** What has to go: of the objects, of the recordings, and of either. */
interface Excess {
  objects: number;
  recordings: number;
  either: number;
}

export class Eviction {
  /** Since the start. */
  readonly evicted = { count: 0, bytes: 0 };
  readonly #host: EvictionHost;
  readonly #limits: EvictionLimits;
  readonly #failures: RateLimitedLog;
  #ticker: Timer | undefined;
  #running: Promise<void> | undefined;
  /** Bytes that uploads want beside what is here. */
  #wantedBytes = 0;
  #isShort = false;
  #isClosing = false;

  constructor(host: EvictionHost, limits: EvictionLimits, log: Log) {
    this.#host = host;
    this.#limits = limits;
    this.#failures = new RateLimitedLog(log);
  }

  open(): void {
    this.#ticker = setInterval(() => this.#runOnce(), evictionTickMs);
    this.#runOnce();
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    clearInterval(this.#ticker);
    await this.#running;
  }

  /** An upload needs so many bytes. False if the last run has found nothing to drop. */
  reclaim(bytes: number): boolean {
    if (this.#isClosing || this.#isShort) return false;
    this.#wantedBytes = Math.max(this.#wantedBytes, bytes);
    this.#runOnce();
    return true;
  }

  #runOnce(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  async #run(): Promise<void> {
    const { objects, recordings, fetched } = this.#host;
    try {
      await fetched.tidy();
      const excess = await this.#excess();
      const wanted = excess.objects;
      this.#wantedBytes = 0;
      const pieces = fetched.drop(Math.max(wanted, excess.either));
      const ofObjects = pieces + (await this.#drop(wanted - pieces, [objects]));
      const ofRecordings = await this.#drop(excess.recordings, [recordings]);
      const rest = excess.either - ofObjects - ofRecordings;
      const ofEither = await this.#drop(rest, [objects, recordings]);
      this.#isShort = wanted > 0 && ofObjects + ofEither === 0;
    } catch (error) {
      this.#failures.warn("local copies of archived audio could not be dropped", { error });
    }
  }

  /** All 0 below the limits. */
  async #excess(): Promise<Excess> {
    const { localBytes, totalBytes = Infinity } = this.#limits;
    const { cache, recordings } = this.#host.localBytes();
    const { folders } = this.#host;
    const objects = Math.max(over(cache, localBytes), this.#wantedBytes);
    const either = over(cache + recordings, totalBytes);
    if (this.#limits.minFreeBytes === undefined) return { objects, recordings: 0, either };
    const lacking = await this.#lackingBytes(folders.cache);
    // On one disk it does not matter which of them go.
    if (await areOnOneDisk(folders.cache, folders.recordings))
      return { objects, recordings: 0, either: Math.max(either, lacking) };
    const lackingThere = await this.#lackingBytes(folders.recordings);
    return { objects: Math.max(objects, lacking), recordings: lackingThere, either };
  }

  async #lackingBytes(folder: string): Promise<number> {
    const { minFreeBytes } = this.#limits;
    if (minFreeBytes === undefined) return 0;
    const { bavail, bsize } = await statfs(folder);
    // Retention removes streams with less than a tenth above the limit: copies go before.
    return Math.max(0, minFreeBytes * (2.2 - evictionEnd) - bavail * bsize);
  }

  /** Returns how many bytes have gone. */
  async #drop(bytes: number, kinds: readonly Copies[]): Promise<number> {
    const cursors = kinds.map((copies) => copies.cursor());
    let dropped = 0;
    while (dropped < bytes && !this.#isClosing) {
      if ((await take(cursors, bytes - dropped)) === 0) break;
      for (const cursor of cursors) dropped += await this.#evictTaken(cursor);
    }
    return dropped;
  }

  async #evictTaken(cursor: CopiesCursor): Promise<number> {
    const { count, bytes } = await cursor.evictTaken();
    this.evicted.count += count;
    this.evicted.bytes += bytes;
    return bytes;
  }
}

/** Down to a part of the limit, so that not each new byte evicts. */
function over(bytes: number, limit: number): number {
  return bytes > limit ? bytes - limit * evictionEnd : 0;
}

/** Takes what was used least recently of all kinds. Returns how many it has taken. */
async function take(cursors: readonly CopiesCursor[], bytes: number): Promise<number> {
  let taken = 0;
  for (let sum = 0; sum < bytes && taken < maxEvictedTogether; taken += 1) {
    const heads = await Promise.all(cursors.map(async (cursor) => ({ cursor, row: await cursor.head() })));
    const [oldest] = heads
      .flatMap(({ cursor, row }) => (row === undefined ? [] : { cursor, row }))
      .sort((a, b) => a.row.usedAt - b.row.usedAt);
    if (oldest === undefined) break;
    sum += oldest.row.size;
    oldest.cursor.take();
  }
  return taken;
}

/** A folder of recordings that is lost has no disk of its own. */
async function areOnOneDisk(cache: string, recordings: string): Promise<boolean> {
  const first = await stat(cache);
  try {
    return (await stat(recordings)).dev === first.dev;
  } catch (error) {
    if (isMissing(error)) return true;
    throw error;
  }
}
