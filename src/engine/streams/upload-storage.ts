/** What uploads need of the thread pool and the catalog; keeps the admission and the counts in step with it. */
import { toWavecacheError, type WavecacheError } from "../../base/errors.ts";
import type { Log } from "../../base/log/log.ts";
import { sharedNow } from "../../base/system/shared-clock.ts";
import type { Sealed } from "../../lane/messages/streams.ts";
import type { Pool } from "../../pool/pool.ts";
import type { UploadEvents, UploadSlot } from "../../pool/upload-slot.ts";
import type { PartedUpload, StoredUpload } from "../../store/archive/parts/catalog.ts";
import type { KeeperArgs, ResumeAnswer } from "../../store/keeper-calls.ts";
import type { StreamRow } from "../../store/streams/catalog.ts";
import type { AccountStorage } from "./account-storage.ts";
import type { Admission } from "./admission.ts";
import { Checkpoints } from "./checkpoints.ts";
import type { StreamCounts } from "./counts.ts";
import type { StreamQuota } from "./stream-quota.ts";
import type { UploadSpans } from "./upload-spans.ts";
import type { UploadHost } from "./upload-host.ts";
import type { Upload } from "./upload.ts";

/** What a client wants of a stream that may exist; see `Streams`. */
export type Continuation = "resume" | "restart" | "reopen";

export interface UploadStorageOwner {
  /** The upload is durable as this stream; `uploadReleased` follows. */
  uploadCommitted(row: StreamRow): void;
  /** The upload has received audio. Returns at how many bytes to call this again. */
  uploadGrew(upload: Upload): number;
  /**
   * Brings what the archive has of an interrupted upload into its file. Resolves with its bytes, 0 if there is nothing any
   * more. Rejects with UPLOAD_MOVING, ARCHIVE_UNAVAILABLE, CACHE_FULL.
   */
  bringUpload(upload: PartedUpload, stored: StoredUpload): Promise<number>;
  /** Nodes can be asked to release an upload. */
  canAsk(): boolean;
  /** Asks a node to release its upload of a stream. Resolves once it has, or has not answered in time. */
  askForUpload(node: string, streamId: string): Promise<void>;
  /** Resolves when the stream of this object may be acknowledged. Rejects with ARCHIVE_UNAVAILABLE. */
  archived(sha256: string): Promise<void>;
  /** The upload holds neither its id nor its file any more. */
  uploadReleased(upload: Upload): void;
}

/** What is in the cache, and what may come. */
export interface StreamFigures {
  admission: Admission;
  counts: StreamCounts;
  quota: StreamQuota;
  accounts: AccountStorage;
  spans: UploadSpans;
}

export class UploadStorage implements UploadHost {
  readonly admission: Admission;
  readonly accounts: AccountStorage;
  readonly #pool: Pool;
  readonly #counts: StreamCounts;
  readonly #quota: StreamQuota;
  readonly #owner: UploadStorageOwner;
  readonly #log: Log;
  readonly #spans: UploadSpans;
  readonly #checkpoints: Checkpoints;
  /** The catalog did not say how an upload ended: the counts may be wrong. */
  #isRecountDue = false;

  constructor(pool: Pool, figures: StreamFigures, owner: UploadStorageOwner, log: Log) {
    const { admission, counts, quota, accounts, spans } = figures;
    this.#pool = pool;
    this.admission = admission;
    this.accounts = accounts;
    this.#counts = counts;
    this.#quota = quota;
    this.#owner = owner;
    this.#log = log;
    this.#spans = spans;
    this.#checkpoints = new Checkpoints((items) =>
      pool.keeper.call("checkpoint", { items, at: sharedNow() }),
    );
  }

  /** Enters a new stream. Rejects with STREAM_EXISTS if the id is in use, and with TOKEN_LIMIT_REACHED. */
  async reserve(upload: Upload, key: string, size: number | undefined): Promise<void> {
    const { streamId, metadata, account } = upload;
    this.#log.debug("an upload begins", { ...identityOf(upload), how: "create" });
    this.#spans.begin(upload, "create");
    this.accounts.begin(upload, account);
    this.#counts.pending += 1;
    try {
      if (this.accounts.isLimited(upload)) await this.accounts.check(upload, size);
      const call = { streamId, key, metadata, account: account?.id ?? null, at: sharedNow() };
      await this.#pool.keeper.call("reserve", call);
      this.#counts.reserved();
    } finally {
      this.#counts.pending -= 1;
    }
  }

  /**
   * Finds what an id can be resumed from, once its previous upload is over. Enters the id if it is free, unless it is
   * reopened: that rejects with STREAM_UNKNOWN. A restart discards an unfinished stream, and rejects with
   * STREAM_FINISHED for a finished one.
   */
  async findUnfinished(
    upload: Upload,
    key: string,
    size: number | undefined,
    previous: Upload | undefined,
    how: Continuation,
  ): Promise<ResumeAnswer> {
    const { streamId, metadata } = upload;
    const account = upload.account?.id ?? null;
    this.#log.debug("an upload begins", { ...identityOf(upload), how });
    this.#spans.begin(upload, how);
    this.accounts.begin(upload, upload.account);
    await previous?.over;
    // What reopens a stream may only remove it.
    if (how === "reopen") await this.accounts.count(upload);
    else await this.accounts.check(upload, size);
    const refusal = how === "reopen" ? "STREAM_UNKNOWN" : (this.#quota.refusal(streamId) ?? null);
    const rules = { restart: how === "restart", asksOwner: this.#owner.canAsk(), refusal } as const;
    const call = { streamId, key, metadata, account, ...rules, at: sharedNow() };
    const found = await this.#takeOver(call);
    if (found.kind === "restarted") this.admission.unfinishedBytes -= found.discardedBytes;
    return found.kind === "moved" ? await this.#bring(streamId, found) : found;
  }

  /** A node that has the upload releases it first, if it can be asked. */
  async #takeOver(call: KeeperArgs<"resume">): Promise<ResumeAnswer> {
    const found = await this.#resume(call);
    if (found.kind !== "elsewhere") return found;
    await this.#owner.askForUpload(found.node, call.streamId);
    return await this.#resume({ ...call, asksOwner: false, at: sharedNow() });
  }

  async #bring(streamId: string, moved: ResumeAnswer & { kind: "moved" }): Promise<ResumeAnswer> {
    const { key, metadata, stored } = moved;
    if (stored === undefined) return moved;
    const size = await this.#owner.bringUpload({ streamId, key }, stored);
    return size === 0 ? moved : { kind: "unfinished", key, size, metadata };
  }

  async #resume(call: KeeperArgs<"resume">): Promise<ResumeAnswer> {
    this.#counts.pending += 1;
    try {
      const found = await this.#pool.keeper.call("resume", call);
      this.#counts.resumed(found);
      return found;
    } finally {
      this.#counts.pending -= 1;
    }
  }

  refuseWrite(upload: Upload, bytes: number): WavecacheError | undefined {
    const { receivedBytes } = upload;
    return this.admission.refuseWrite(receivedBytes, bytes) ?? this.accounts.refuseWrite(upload, bytes);
  }

  grew(upload: Upload): number {
    return this.#owner.uploadGrew(upload);
  }

  openSlot(key: string, resume: boolean, events: UploadEvents): UploadSlot {
    return this.#pool.writers.open(key, resume, events);
  }

  flush({ streamId, key }: Upload): Promise<unknown> {
    return this.#pool.keeper.call("flush", { streamId, key });
  }

  declareSize({ streamId }: Upload, size: number | undefined): Promise<unknown> {
    return this.#pool.keeper.call("declareSize", { streamId, size });
  }

  secure({ streamId, key }: Upload, bytes: number): Promise<void> {
    return this.#checkpoints.add({ streamId, key, size: bytes });
  }

  async commit(upload: Upload, sealed: Sealed): Promise<StreamRow> {
    const { streamId, key } = upload;
    const at = sharedNow();
    const { row, addedBytes } = await this.#traced(upload, () =>
      this.#pool.keeper.call("finish", { streamId, key, ...sealed, at }),
    );
    // In this order: bytes that count as free for a moment would admit uploads that wait for room.
    this.admission.objectBytes += addedBytes;
    this.admission.unfinishedBytes -= upload.receivedBytes;
    this.#counts.committed(addedBytes);
    this.#log.debug("an upload is stored", { ...identityOf(upload), size: row.size, addedBytes });
    this.#spans.end(upload, { "wavecache.outcome": "stored" });
    this.#owner.uploadCommitted(row);
    this.release(upload);
    return row;
  }

  archived(sha256: string): Promise<void> {
    return this.#owner.archived(sha256);
  }

  async failed(upload: Upload, entered: boolean): Promise<void> {
    const { streamId } = upload;
    const identity = identityOf(upload);
    let keptBytes = 0;
    try {
      if (entered && upload.isDiscarded) await this.#remove(streamId);
      else if (entered) keptBytes = await this.#leave(streamId);
    } catch (error) {
      this.#isRecountDue = true;
      // The loss of the whole store was logged as such.
      if (toWavecacheError(error).code === "STORE_LOST") this.#log.debug("the store is lost", identity);
      else this.#log.error("the catalog did not note an interrupted upload", { ...identity, error });
    }
    this.#log.debug("an upload ended unfinished", { ...identity, keptBytes });
    this.admission.unfinishedBytes += keptBytes - upload.receivedBytes;
    this.release(upload);
  }

  release(upload: Upload): void {
    this.#spans.end(upload, { "wavecache.outcome": "unfinished" });
    this.#owner.uploadReleased(upload);
  }

  async #traced<T>(upload: Upload, commit: () => Promise<T>): Promise<T> {
    const span = this.#spans.beginCommit(upload);
    try {
      const committed = await commit();
      span.end();
      return committed;
    } catch (error) {
      span.end({}, error);
      throw error;
    }
  }

  /** Counts again if an upload ended without the catalog's answer. */
  async recountIfDue(): Promise<void> {
    if (this.#isRecountDue) await this.recount();
  }

  /** `failed` subtracts the bytes from the admission. */
  async #remove(streamId: string): Promise<void> {
    this.#counts.removed(await this.#pool.keeper.call("remove", { streamId }));
  }

  /** Returns the bytes that the unfinished stream keeps. */
  async #leave(streamId: string): Promise<number> {
    const left = await this.#pool.keeper.call("leave", { streamId, at: sharedNow() });
    this.#counts.left(left);
    if (left?.state === "unfinished") return left.size;
    // The keeper completed a commit that had failed at its last step, and does not say how many bytes that added.
    if (left !== null) await this.recount();
    return 0;
  }

  /** Something has changed that no answer tells of. */
  async recount(): Promise<void> {
    const totals = await this.#pool.keeper.call("totals", null);
    this.#counts.set(totals);
    this.#isRecountDue = false;
    this.admission.objectBytes = totals.objectBytes;
  }
}

/** For the log. */
function identityOf({ streamId, context }: Upload) {
  return { streamId, requestId: context?.requestId };
}
