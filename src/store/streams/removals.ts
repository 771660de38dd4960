/**
 * Removals of streams:
 *
 *     1  the row is removed (synced)    a crash after this leaves an object, and the journal brings its row back
 *     2  the file is unlinked           if no other stream has the same object
 *
 * A stream of another node goes from the catalog alone: that node removes its files (nodes/tasks.ts).
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
import { nodesOf } from "../elsewhere.ts";
import type { StoreGuard } from "../store-guard.ts";
import type { AbandonedRows } from "../nodes/abandoned.ts";
import type { Catalog, StreamRow } from "./catalog.ts";
import { removeObject } from "./objects.ts";

/** How often, and for how long, a removal waits for the space of its file. */
const maxTries = 50;
const retryMs = 20;

type Removed = KeeperResult<"remove">;

interface Removal {
  row: StreamRow;
  /** These two run in the transaction of the removal. */
  forget: () => void;
  writeEvent: () => void;
}

/** What the files of this node lose. */
const nothing: Removed = {
  finished: false,
  isElsewhere: false,
  objectSha256: null,
  objectBytes: 0,
  unfinishedBytes: 0,
};

type RemovalCatalog = Catalog & { readonly abandoned: AbandonedRows };

export class Removals {
  readonly #layout: CacheLayout;
  readonly #catalog: RemovalCatalog;
  readonly #guard: StoreGuard;
  readonly #onRemoved: (entry: JournalEntry) => void;

  /** `onRemoved` gets the entry for the journal in the same turn in which a finished stream is removed. */
  constructor(
    layout: CacheLayout,
    catalog: RemovalCatalog,
    guard: StoreGuard,
    onRemoved: (entry: JournalEntry) => void,
  ) {
    this.#layout = layout;
    this.#catalog = catalog;
    this.#guard = guard;
    this.#onRemoved = onRemoved;
  }

  /** Removes a stream. Rejects with STREAM_UNKNOWN, and with STREAM_UNFINISHED if another node may be receiving it. */
  async remove(streamId: string): Promise<Removed> {
    const row = this.#catalog.find(streamId);
    if (row === undefined) throw new WavecacheError("STREAM_UNKNOWN");
    const removal = {
      row,
      forget: () => this.#forget(row),
      writeEvent: () => streamRemoved(this.#catalog.events, row, "request"),
    };
    if (row.otherNode === undefined) return await this.#removeOne(removal);
    this.#forgetFirst(removal);
    return { ...nothing, isElsewhere: true };
  }

  /** Throws if the row is gone, or cannot go. */
  #forget(row: StreamRow): void {
    const { streamId, state, otherNode } = row;
    if (state !== "finished" && otherNode === undefined) this.#catalog.remove(streamId);
    else if (state === "finished") this.#forgetFinished(row, true);
    else if (!this.#catalog.abandoned.removeUpload(row)) throw new WavecacheError("STREAM_UNFINISHED");
  }

  #forgetFinished(row: StreamRow, evenPinned: boolean): void {
    const [removed] = this.#catalog.removeFinished([row], evenPinned);
    // Another node may have removed it since it was found.
    if (removed === undefined) throw new WavecacheError("STREAM_UNKNOWN");
  }

  async #removeOne(removal: Removal): Promise<Removed> {
    try {
      return this.#guard.withBallast(() => this.#removeRowFirst(removal));
    } catch (error) {
      if (toWavecacheError(error).code !== "DISK_FULL") throw error;
      return await this.#removeFileFirst(removal);
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
    const isHere = row?.state === "finished" && row.otherNode === undefined;
    return isHere && row.key === key && !row.isPinned ? row : undefined;
  }

  #removeTogether(all: StreamRow[], reason: RetentionReason, at: number): RemovedStreams {
    const rows = this.#catalog.transaction(() => {
      const removed = new Set(this.#catalog.removeFinished(all, false));
      const gone = all.filter(({ streamId }) => removed.has(streamId));
      for (const row of gone) streamExpired(this.#catalog.events, row, reason, at);
      return gone;
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
      const forget = () => this.#forgetFinished(row, false);
      const writeEvent = () => streamExpired(this.#catalog.events, row, reason, at);
      const { objectSha256: sha256, objectBytes: bytes } = await this.#removeOne({ row, forget, writeEvent });
      result.streamIds.push(row.streamId);
      if (sha256 !== null) result.objects.push({ sha256, bytes });
    }
    return result;
  }

  /** The space is free only when the last reader has closed the file. */
  async #removeFileFirst(removal: Removal): Promise<Removed> {
    this.#unlink(removal.row);
    for (let tries = 1; ; tries += 1) {
      try {
        return this.#removeRowFirst(removal);
      } catch (error) {
        if (toWavecacheError(error).code !== "DISK_FULL" || tries === maxTries) throw error;
        await Bun.sleep(retryMs);
      }
    }
  }

  #removeRowFirst(removal: Removal): Removed {
    this.#forgetFirst(removal);
    const { row } = removal;
    const isUnlinked = this.#unlink(row);
    if (row.state !== "finished") return { ...nothing, unfinishedBytes: row.size };
    this.#onRemoved({ remove: { streamId: row.streamId, key: row.key } });
    if (!isUnlinked) return { ...nothing, finished: true };
    return { ...nothing, finished: true, objectSha256: row.sha256, objectBytes: row.size };
  }

  #forgetFirst({ row, forget, writeEvent }: Removal): void {
    const change = () => {
      forget();
      writeEvent();
    };
    this.#catalog.transaction(change, true, nodesOf(row));
  }

  /** False if another stream has the same object. */
  #unlink({ streamId, state, key, sha256 }: StreamRow): boolean {
    if (state !== "finished") removeFile(this.#layout.incomingPath(key));
    else if (this.#catalog.hasObject(sha256!, streamId)) return false;
    else removeObject(this.#layout, sha256!);
    return true;
  }
}
