/** Removals of streams, one at a time for a client, and in groups for retention. */
import { toWavecacheError, WavecacheError } from "../../base/errors.ts";
import { sharedNow } from "../../base/system/shared-clock.ts";
import type { Pool } from "../../pool/pool.ts";
import type { RemovedStream, RemovedStreams, RetentionReason, UploadRef } from "../../store/keeper-calls.ts";
import type { CacheLayout } from "../../store/layout.ts";
import type { Admission } from "./admission.ts";
import type { StreamCounts } from "./counts.ts";
import type { Damage } from "./damage.ts";

/** What removals need of the streams. */
export interface RemovalHost {
  readonly admission: Admission;
  readonly counts: StreamCounts;
  readonly damage: Damage;
  isUploading(streamId: string): boolean;
  isBeingRead(streamId: string): boolean;
  /**
   * Has the node of an interrupted upload remove it. Resolves with false if there is no such node, or it does not answer.
   * Rejects as a removal.
   */
  removeElsewhere(streamId: string): Promise<boolean>;
  /** No look-up finds the stream in memory any more. Returns the path of its audio, if it was there. */
  forget(streamId: string): string | undefined;
}

/** What other nodes have done to streams of this one. */
export interface ChangedElsewhere {
  streamIds: readonly string[];
  sha256s: readonly string[];
}

export class StreamRemovals {
  readonly #pool: Pick<Pool, "keeper" | "readers">;
  readonly #layout: CacheLayout;
  readonly #host: RemovalHost;
  /** Streams that retention removes at this moment: whoever wants to read one waits for the outcome. */
  readonly #leaving = new Map<string, Promise<unknown>>();

  constructor(pool: Pick<Pool, "keeper" | "readers">, layout: CacheLayout, host: RemovalHost) {
    this.#pool = pool;
    this.#layout = layout;
    this.#host = host;
  }

  /** Resolves when the catalog knows whether the stream is still there; undefined if it is not being removed. */
  leaving(streamId: string): Promise<unknown> | undefined {
    return this.#leaving.get(streamId);
  }

  /** Whoever wants to read one of these streams waits until `removal` has settled. */
  hold(streamIds: readonly string[], removal: Promise<unknown>): void {
    const settled = removal.then(noResult, noResult).then(() => {
      for (const streamId of streamIds)
        if (this.#leaving.get(streamId) === settled) this.#leaving.delete(streamId);
    });
    for (const streamId of streamIds) this.#leaving.set(streamId, settled);
  }

  /** Rejects with STREAM_UNFINISHED while it is uploaded, STREAM_UNKNOWN if it does not exist. */
  async remove(streamId: string): Promise<void> {
    const { admission, counts, damage } = this.#host;
    if (this.#host.isUploading(streamId)) throw new WavecacheError("STREAM_UNFINISHED");
    // The last thread that releases a file also frees its pages, which is slow: leave that to the keeper.
    this.#closeFile(streamId);
    const removed = await this.#remove(streamId);
    if (removed === undefined || removed.isElsewhere) return;
    counts.removed(removed);
    admission.objectBytes -= removed.objectBytes;
    admission.unfinishedBytes -= removed.unfinishedBytes;
    // Also if the stream was not known: songs and reads during the call may have the file open.
    if (removed.objectSha256 !== null)
      this.#pool.readers.forget(this.#layout.objectPath(removed.objectSha256));
    await damage.recountIfAny();
  }

  /** Undefined if another node has removed it. */
  async #remove(streamId: string): Promise<RemovedStream | undefined> {
    try {
      return await this.#pool.keeper.call("remove", { streamId });
    } catch (error) {
      const isUnfinished = toWavecacheError(error).code === "STREAM_UNFINISHED";
      if (!isUnfinished || !(await this.#host.removeElsewhere(streamId))) throw error;
      return undefined;
    }
  }

  /** What is known of these streams is wrong, and these objects are gone. */
  changedElsewhere({ streamIds, sha256s }: ChangedElsewhere): void {
    for (const streamId of streamIds) this.#host.forget(streamId);
    for (const sha256 of sha256s) this.#pool.readers.forget(this.#layout.objectPath(sha256));
  }

  /** Removes finished streams that nobody reads, uploads or has pinned. Resolves with those that it removed. */
  async removeTogether(all: readonly UploadRef[], reason: RetentionReason): Promise<RemovedStreams> {
    const streams = all.filter(({ streamId }) => this.#isFree(streamId));
    for (const { streamId } of streams) this.#closeFile(streamId);
    const call = this.#pool.keeper.call("removeStreams", { streams, reason, at: sharedNow() });
    const settled = call.then(noResult, noResult);
    for (const { streamId } of streams) this.#leaving.set(streamId, settled);
    try {
      const removed = await call;
      this.#count(removed);
      return removed;
    } finally {
      for (const { streamId } of streams) this.#leaving.delete(streamId);
    }
  }

  #isFree(streamId: string): boolean {
    const isBusy = this.#host.isUploading(streamId) || this.#host.isBeingRead(streamId);
    return !isBusy && !this.#leaving.has(streamId);
  }

  #closeFile(streamId: string): void {
    const path = this.#host.forget(streamId);
    if (path !== undefined) this.#pool.readers.forget(path);
  }

  #count({ streamIds, objects }: RemovedStreams): void {
    const { admission, counts } = this.#host;
    for (const { sha256 } of objects) this.#pool.readers.forget(this.#layout.objectPath(sha256));
    const bytes = objects.reduce((sum, object) => sum + object.bytes, 0);
    counts.removedTogether(streamIds.length, objects.filter((object) => object.bytes > 0).length);
    admission.objectBytes -= bytes;
    if (streamIds.length > 0) void this.#host.damage.recountIfAny();
  }
}

function noResult(): void {}
