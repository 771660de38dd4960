/**
 * Drops local copies of archived objects when the local bytes reach their limit, or the disk gets full: least recently
 * used first, never one that is being read, or of a pinned stream, or that the archive does not have.
 */
import { statfs } from "node:fs/promises";
import { evictionEnd, evictionTickMs, maxEvictedTogether } from "../../base/limits/archive.ts";
import { maxStreamsOfObject } from "../../base/limits/streams.ts";
import type { Log } from "../../base/log/log.ts";
import { RateLimitedLog } from "../../base/log/rate-limited-log.ts";
import type { KeeperClient } from "../../pool/keeper-client.ts";
import type { EvictableObject, EvictionPosition } from "../../store/archive/catalog.ts";
import type { FetchedObjects } from "./fetched-objects.ts";

export interface EvictionLimits {
  /** Local bytes at which copies begin to go. */
  readonly localBytes: number;
  /** Undefined for none. */
  readonly minFreeBytes: number | undefined;
}

export interface EvictionHost {
  keeper: Pick<KeeperClient, "call">;
  fetched: Pick<FetchedObjects, "drop" | "tidy">;
  folder: string;
  /** Local bytes now. */
  localBytes(): number;
  isInUse(streamId: string): boolean;
  /** Whoever wants to read one of the streams waits for the removal of the files. */
  leave(objects: readonly EvictableObject[], removal: Promise<unknown>): void;
  /** The local copies are gone. */
  evicted(objects: readonly { sha256: string; size: number }[]): void;
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
    try {
      await this.#host.fetched.tidy();
      const bytes = await this.#excessBytes();
      this.#wantedBytes = 0;
      this.#isShort = bytes > 0 && (await this.#drop(bytes)) === 0;
    } catch (error) {
      this.#failures.warn("local copies of archived audio could not be dropped", { error });
    }
  }

  /** What has to go; 0 below the limits. */
  async #excessBytes(): Promise<number> {
    const { localBytes, minFreeBytes } = this.#limits;
    const used = this.#host.localBytes();
    const over = used > localBytes ? used - localBytes * evictionEnd : 0;
    const wanted = Math.max(over, this.#wantedBytes);
    if (minFreeBytes === undefined) return wanted;
    const { bavail, bsize } = await statfs(this.#host.folder);
    // Retention removes streams with less than a tenth above the limit: copies go before.
    const lacking = minFreeBytes * (2.2 - evictionEnd) - bavail * bsize;
    return Math.max(wanted, lacking);
  }

  /** Returns how many bytes have gone. */
  async #drop(bytes: number): Promise<number> {
    let dropped = this.#host.fetched.drop(bytes);
    let after: EvictionPosition = { usedAt: -1, sha256: "" };
    while (dropped < bytes && !this.#isClosing) {
      const page = await this.#host.keeper.call("evictable", { after, limit: maxEvictedTogether });
      const last = page.at(-1);
      if (last === undefined) break;
      after = { usedAt: last.usedAt, sha256: last.sha256 };
      dropped += await this.#evict(this.#choose(page, bytes - dropped));
    }
    return dropped;
  }

  #choose(page: readonly EvictableObject[], bytes: number): EvictableObject[] {
    const chosen: EvictableObject[] = [];
    let sum = 0;
    for (const object of page) {
      if (sum >= bytes) break;
      if (this.#isInUse(object)) continue;
      chosen.push(object);
      sum += object.size;
    }
    return chosen;
  }

  /** Of an object with very many streams it is not known who reads it. */
  #isInUse({ streamIds }: EvictableObject): boolean {
    return streamIds.length >= maxStreamsOfObject || streamIds.some((id) => this.#host.isInUse(id));
  }

  async #evict(objects: EvictableObject[]): Promise<number> {
    if (objects.length === 0) return 0;
    const { keeper, leave, evicted } = this.#host;
    const removal = keeper.call("evict", { sha256s: objects.map(({ sha256 }) => sha256) });
    leave(objects, removal);
    const gone = await removal;
    evicted(gone);
    const bytes = gone.reduce((sum, { size }) => sum + size, 0);
    this.evicted.count += gone.length;
    this.evicted.bytes += bytes;
    return bytes;
  }
}
