/**
 * Interrupted uploads: those without a live connection, which their clients may resume. They are removed after their time
 * to live, and before that when other uploads need their room in a full cache: the least recently used first.
 */
import { maxExpiredTogether, reclaimPauseMs } from "../../base/limits/streams.ts";
import type { Log } from "../../base/log/log.ts";
import { sharedNow } from "../../base/system/shared-clock.ts";
import type { IdleUpload, KeeperArgs, KeeperCall, KeeperResult } from "../../store/keeper-calls.ts";
import type { Admission, Reclaimer } from "./admission.ts";
import type { StreamCounts } from "./counts.ts";

/** What this needs of the catalog, and of the uploads in progress. */
export interface InterruptedHost {
  call<C extends KeeperCall>(call: C, args: KeeperArgs<C>): Promise<KeeperResult<C>>;
  /** Uploads in progress, by the ids of their streams. */
  readonly uploads: ReadonlyMap<string, { readonly receivedBytes: number }>;
  readonly ttlMs: number;
}

export class InterruptedUploads implements Reclaimer {
  /** Uploads and bytes removed to make room. */
  readonly reclaimed = { uploads: 0, bytes: 0 };
  readonly #host: InterruptedHost;
  readonly #admission: Admission;
  readonly #counts: StreamCounts;
  readonly #log: Log;
  /** Bytes that the cache may hold; undefined while nobody needs room. */
  #targetBytes: number | undefined;
  /** The catalog had nothing to remove: no attempt before this time of the monotonic clock. */
  #pausedUntilMs = 0;

  constructor(host: InterruptedHost, admission: Admission, counts: StreamCounts, log: Log) {
    this.#host = host;
    this.#admission = admission;
    this.#counts = counts;
    this.#log = log;
  }

  /** Starts to remove interrupted uploads until `bytes` are free. False if they do not have that many. */
  reclaim(bytes: number): boolean {
    if (performance.now() < this.#pausedUntilMs || bytes > this.#interruptedBytes()) return false;
    const isRunning = this.#targetBytes !== undefined;
    const targetBytes = this.#admission.cacheBytes - bytes;
    this.#targetBytes = Math.min(targetBytes, this.#targetBytes ?? Infinity);
    if (!isRunning) void this.#removeUntilTarget();
    return true;
  }

  /** Removes the uploads whose time to live is over, those of nodes that have been dead for so long too. */
  async expire(): Promise<void> {
    await this.#expireAbandoned();
    for (;;) {
      const idle = await this.#host.call("idle", { ms: this.#host.ttlMs, limit: maxExpiredTogether });
      if (idle.length === 0) return;
      const { streamIds } = await this.#remove(idle, idle, "idle");
      for (const streamId of streamIds) this.#log.info("an unfinished upload has expired", { streamId });
      if (idle.length < maxExpiredTogether) return;
    }
  }

  /** Neither node counts their bytes. */
  async #expireAbandoned(): Promise<void> {
    const call = { deadMs: this.#host.ttlMs, limit: maxExpiredTogether };
    const streamIds = await this.#host.call("expireAbandonedUploads", { ...call, at: sharedNow() });
    for (const streamId of streamIds)
      this.#log.info("an unfinished upload of a dead node has expired", { streamId });
  }

  #interruptedBytes(): number {
    let bytes = this.#admission.unfinishedBytes;
    for (const upload of this.#host.uploads.values()) bytes -= upload.receivedBytes;
    return bytes;
  }

  async #removeUntilTarget(): Promise<void> {
    try {
      while (this.#admission.cacheBytes > this.#targetBytes!) {
        if (!(await this.#removeOldest(this.#admission.cacheBytes - this.#targetBytes!))) break;
      }
    } catch (error) {
      this.#log.error("interrupted uploads could not be removed to make room", { error });
    }
    if (this.#admission.cacheBytes > this.#targetBytes!)
      this.#pausedUntilMs = performance.now() + reclaimPauseMs;
    this.#targetBytes = undefined;
  }

  /** Removes about so many bytes; false if there is nothing to remove. */
  async #removeOldest(bytes: number): Promise<boolean> {
    // Uploads in progress may be among the oldest: the others must fit into the answer beside them.
    const limit = maxExpiredTogether + this.#host.uploads.size;
    const idle = await this.#host.call("idle", { ms: 0, limit });
    const oldest = leading(
      idle.filter(({ streamId }) => !this.#host.uploads.has(streamId)),
      bytes,
    );
    const removed = await this.#remove(idle, oldest, "room");
    this.reclaimed.uploads += removed.streamIds.length;
    this.reclaimed.bytes += removed.bytes;
    for (const streamId of removed.streamIds)
      this.#log.info("an interrupted upload was removed to make room", { streamId });
    return removed.streamIds.length > 0;
  }

  /** Removes `uploads` unless they are in progress. Those of `idle` that are get a new time to live. */
  async #remove(
    idle: IdleUpload[],
    uploads: IdleUpload[],
    reason: "idle" | "room",
  ): Promise<KeeperResult<"expire">> {
    // A resume after this sends its call after this one, and finds the stream gone.
    const isInUse = ({ streamId }: IdleUpload) => this.#host.uploads.has(streamId);
    const inUse = idle.filter(isInUse);
    const expired = uploads.filter((upload) => !isInUse(upload));
    const removed = await this.#host.call("expire", { expired, inUse, reason, at: sharedNow() });
    this.#admission.unfinishedBytes -= removed.bytes;
    this.#counts.expired(removed.streamIds.length);
    return removed;
  }
}

/** The first uploads that have `bytes` together. */
function leading(uploads: IdleUpload[], bytes: number): IdleUpload[] {
  let sum = 0;
  const end = uploads.findIndex(({ size }) => (sum += size) >= bytes);
  return end === -1 ? uploads : uploads.slice(0, end + 1);
}
