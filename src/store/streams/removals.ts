/**
 * Removals of streams:
 *
 *     1  the row is removed (synced)    a crash after this leaves an object, and the journal brings its row back
 *     2  the file is unlinked           if no other stream has the same object
 *
 * They have to work on a full disk, or nobody could make room: step 1 then gets the space of the ballast. If even that is
 * too little, step 2 comes first, and a crash in between leaves a stream that says that its audio is missing.
 *
 * Streams that retention removes go in groups: one sync for all rows of a group, and one pause of the thread.
 */
import { toWavecacheError, WavecacheError } from "../../base/errors.ts";
import { streamExpired, streamRemoved } from "../events/facts.ts";
import type { JournalEntry } from "../journal/entry.ts";
import { failpoint } from "../../base/failpoint.ts";
import type {
  KeeperArgs,
  KeeperResult,
  RemovedStreams,
  RetentionReason,
  UploadRef,
} from "../keeper-calls.ts";
import { type CacheLayout, removeFile } from "../layout.ts";
import { requireHere } from "../elsewhere.ts";
import type { StoreGuard } from "../store-guard.ts";
import type { Catalog, StreamRow } from "./catalog.ts";
import { removeObject } from "./objects.ts";

/** How often, and for how long, a removal waits for the space of its file. */
const maxTries = 50;
const retryMs = 20;

type Removed = KeeperResult<"remove">;

export class Removals {
  readonly #layout: CacheLayout;
  readonly #catalog: Catalog;
  readonly #guard: StoreGuard;
  readonly #onRemoved: (entry: JournalEntry) => void;

  /** `onRemoved` gets the entry for the journal in the same turn in which a finished stream is removed. */
  constructor(
    layout: CacheLayout,
    catalog: Catalog,
    guard: StoreGuard,
    onRemoved: (entry: JournalEntry) => void,
  ) {
    this.#layout = layout;
    this.#catalog = catalog;
    this.#guard = guard;
    this.#onRemoved = onRemoved;
  }

  /** Removes a stream. Rejects with STREAM_UNKNOWN. */
  async remove(streamId: string): Promise<Removed> {
    const row = this.#catalog.find(streamId);
    if (row === undefined) throw new WavecacheError("STREAM_UNKNOWN");
    requireHere(row);
    return await this.#removeOne(row, () => streamRemoved(this.#catalog.events, row, "request"));
  }

  /** `writeEvent` runs in the transaction of the removal. */
  async #removeOne(row: StreamRow, writeEvent: () => void): Promise<Removed> {
    try {
      return this.#guard.withBallast(() => this.#removeRowFirst(row, writeEvent));
    } catch (error) {
      if (toWavecacheError(error).code !== "DISK_FULL") throw error;
      return await this.#removeFileFirst(row, writeEvent);
    }
  }

  /**
   * Removes finished streams together. Those that are pinned stay, and so do those that are others by now. Both steps
   * happen without a pause: the background check would bring a stream back whose object is still there.
   */
  async removeAll({ streams, reason, at }: KeeperArgs<"removeStreams">): Promise<RemovedStreams> {
    const rows = streams.flatMap((ref) => this.#removable(ref) ?? []);
    try {
      return this.#guard.withBallast(() => this.#removeTogether(rows, reason, at));
    } catch (error) {
      if (toWavecacheError(error).code !== "DISK_FULL") throw error;
      return await this.#removeSingly(rows, reason, at);
    }
  }

  #removable({ streamId, key }: UploadRef): StreamRow | undefined {
    const row = this.#catalog.find(streamId);
    return row?.state === "finished" && row.key === key && !row.isPinned ? row : undefined;
  }

  #removeTogether(rows: StreamRow[], reason: RetentionReason, at: number): RemovedStreams {
    this.#catalog.transaction(() => {
      for (const row of rows) {
        this.#catalog.remove(row.streamId);
        streamExpired(this.#catalog.events, row, reason, at);
      }
    }, true);
    failpoint("retention.rows");
    const objects = new Map<string, number>();
    for (const row of rows) {
      if (this.#unlink(row) && !objects.has(row.sha256!)) objects.set(row.sha256!, row.size);
      this.#onRemoved({ remove: { streamId: row.streamId, key: row.key } });
      failpoint("retention.file");
    }
    const removed = Array.from(objects, ([sha256, bytes]) => ({ sha256, bytes }));
    return { streamIds: rows.map(({ streamId }) => streamId), objects: removed };
  }

  async #removeSingly(rows: StreamRow[], reason: RetentionReason, at: number): Promise<RemovedStreams> {
    const result: RemovedStreams = { streamIds: [], objects: [] };
    for (const row of rows) {
      const writeEvent = () => streamExpired(this.#catalog.events, row, reason, at);
      const { objectSha256: sha256, objectBytes: bytes } = await this.#removeOne(row, writeEvent);
      result.streamIds.push(row.streamId);
      if (sha256 !== null) result.objects.push({ sha256, bytes });
    }
    return result;
  }

  /** The space is free only when the last reader has closed the file. */
  async #removeFileFirst(row: StreamRow, writeEvent: () => void): Promise<Removed> {
    this.#unlink(row);
    for (let tries = 1; ; tries += 1) {
      try {
        return this.#removeRowFirst(row, writeEvent);
      } catch (error) {
        if (toWavecacheError(error).code !== "DISK_FULL" || tries === maxTries) throw error;
        await Bun.sleep(retryMs);
      }
    }
  }

  #removeRowFirst(row: StreamRow, writeEvent: () => void): Removed {
    this.#catalog.transaction(() => {
      this.#catalog.remove(row.streamId);
      writeEvent();
    }, true);
    const isUnlinked = this.#unlink(row);
    const nothing = { objectSha256: null, objectBytes: 0, unfinishedBytes: 0 };
    if (row.state !== "finished") return { ...nothing, finished: false, unfinishedBytes: row.size };
    this.#onRemoved({ remove: { streamId: row.streamId, key: row.key } });
    if (!isUnlinked) return { ...nothing, finished: true };
    return { ...nothing, finished: true, objectSha256: row.sha256, objectBytes: row.size };
  }

  /** False if another stream has the same object. */
  #unlink({ streamId, state, key, sha256 }: StreamRow): boolean {
    if (state !== "finished") removeFile(this.#layout.incomingPath(key));
    else if (this.#catalog.hasObject(sha256!, streamId)) return false;
    else removeObject(this.#layout, sha256!);
    return true;
  }
}
