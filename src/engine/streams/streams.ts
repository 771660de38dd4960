/** The rules about streams. Doors ask it to open, resume, find, list and remove; it decides and hands the work out. */
import { randomBytes } from "node:crypto";
import { WavecacheError } from "../../base/errors.ts";
import { maxKnownStreams, maxOutboundBytes } from "../../base/limits/streams.ts";
import type { Log } from "../../base/log.ts";
import type { Sealed } from "../../lane/messages/streams.ts";
import type { Pool } from "../../pool/pool.ts";
import type { FileRef, Reader } from "../../pool/readers.ts";
import type { UploadEvents, UploadSlot } from "../../pool/upload-slot.ts";
import type { ListQuery, StreamRow } from "../../store/streams/catalog.ts";
import type { KeeperResult, ResumeAnswer } from "../../store/keeper-calls.ts";
import type { CacheLayout } from "../../store/layout.ts";
import { isStreamId } from "../../base/stream-id.ts";
import { Admission, type AdmissionLimits } from "./admission.ts";
import { OutboundBudget } from "./outbound-budget.ts";
import { Checkpoints } from "./checkpoints.ts";
import { type Follower, Followers } from "./followers.ts";
import { StreamCounts } from "./counts.ts";
import { describeStream, noMetadata, type StreamMetadata } from "../../store/streams/metadata.ts";
import { Upload, type UploadHost, type UploadOwner } from "./upload.ts";

export interface StreamsSettings extends AdmissionLimits {
  incompleteTtlSeconds: number;
}

/** What of a stream can be read now. */
export interface Readable {
  size: number;
  file: FileRef;
  /** When it was finished, in milliseconds since 1970; undefined while it may grow. */
  finishedAt: number | undefined;
  /** Lower-case hex; undefined while it may grow. */
  sha256: string | undefined;
  /** The same for what is the same upload, before its end and after it. */
  key: string;
  metadata: StreamMetadata;
}

/** How full the cache is, and with what. */
export interface CacheFigures {
  uploading: number;
  /** Their audio has ended and is on its way to be durable. */
  finishing: number;
  /** Interrupted; they can be resumed. */
  interrupted: number;
  finished: number;
  /** Objects that hold any audio, and their bytes. */
  objects: number;
  objectBytes: number;
  /** Of uploads, under way and interrupted. */
  unfinishedBytes: number;
  limitBytes: number;
}

/** How often interrupted uploads are looked through for ones past their time, at the most. */
const expiryIntervalMs = 600_000;

export class Streams implements UploadHost {
  readonly admission: Admission;
  readonly outbound = new OutboundBudget(maxOutboundBytes);
  readonly #pool: Pool;
  readonly #layout: CacheLayout;
  readonly #settings: StreamsSettings;
  readonly #log: Log;
  readonly #uploads = new Map<string, Upload>();
  readonly #counts = new StreamCounts();
  readonly #checkpoints: Checkpoints;
  readonly #followers = new Followers((streamId) => this.#uploads.get(streamId));
  /** Finished streams that were lately used, the one used longest ago first. */
  readonly #known = new Map<string, Readable>();
  #expiry: Timer | undefined;
  /** What became of an upload is not known: the counts may be wrong. */
  #recountDue = false;
  #closing = false;

  constructor(pool: Pool, layout: CacheLayout, settings: StreamsSettings, log: Log) {
    this.#pool = pool;
    this.#layout = layout;
    this.#settings = settings;
    this.#log = log;
    this.admission = new Admission(settings);
    this.#checkpoints = new Checkpoints((items) => pool.keeper.call("checkpoint", { items, at: Date.now() }));
  }

  /** Opens the store and repairs it. Comes first. */
  async open(): Promise<void> {
    const opened = await this.#pool.keeper.call("open", { cacheDir: this.#layout.root, at: Date.now() });
    this.#counts.set(opened.totals);
    this.admission.objectBytes = opened.totals.objectBytes;
    this.admission.unfinishedBytes = opened.recovery.resumableBytes;
    this.#logRecovery(opened);
    await this.#expire();
    const { incompleteTtlSeconds } = this.#settings;
    const interval = Math.min(expiryIntervalMs, Math.max(500, incompleteTtlSeconds * 500));
    this.#expiry = setInterval(() => void this.#expire(), interval);
  }

  /** Starts a new stream. Throws what can be refused at once; the rest rejects `ready` of the upload. */
  startUpload(streamId: string, owner: UploadOwner, metadata: StreamMetadata = noMetadata): Upload {
    this.#checkStart(streamId);
    if (this.#uploads.has(streamId)) throw new WavecacheError("STREAM_EXISTS");
    const upload = new Upload(streamId, metadata, owner, this);
    this.#uploads.set(streamId, upload);
    const key = newKey();
    upload.start(key, this.#reserve(streamId, key, metadata));
    return upload;
  }

  async #reserve(streamId: string, key: string, metadata: StreamMetadata): Promise<void> {
    await this.#pool.keeper.call("reserve", { streamId, key, metadata, at: Date.now() });
    this.#counts.reserved();
  }

  /**
   * Goes on with an interrupted stream, taking it from another connection if need be; or starts a new one, with this
   * metadata.
   */
  resumeUpload(streamId: string, owner: UploadOwner, metadata: StreamMetadata = noMetadata): Upload {
    this.#checkStart(streamId);
    const previous = this.#uploads.get(streamId);
    const upload = new Upload(streamId, metadata, owner, this);
    this.#uploads.set(streamId, upload);
    previous?.evict(new WavecacheError("STREAM_TAKEN_OVER"));
    const key = newKey();
    upload.resume(key, this.#findUnfinished(streamId, key, metadata, previous?.over));
    return upload;
  }

  async #findUnfinished(
    streamId: string,
    key: string,
    metadata: StreamMetadata,
    previousOver: Promise<void> | undefined,
  ): Promise<ResumeAnswer> {
    await previousOver;
    const found = await this.#pool.keeper.call("resume", { streamId, key, metadata, at: Date.now() });
    this.#counts.resumed(found);
    return found;
  }

  /** A reader for one connection. */
  assignReader(): Reader {
    return this.#pool.readers.assign();
  }

  /** What is known without asking anybody. */
  locateKnown(streamId: string): Readable | undefined {
    const known = this.#known.get(streamId);
    if (known !== undefined) this.#remember(streamId, known);
    return known;
  }

  /**
   * What can be read of a stream. Of one that is being uploaded, at least `wantedBytes` if so many were received
   * before this call. Throws STREAM_UNKNOWN.
   */
  async locate(streamId: string, wantedBytes: number): Promise<Readable> {
    const upload = this.#uploads.get(streamId);
    if (upload !== undefined) {
      try {
        if (upload.finishing === undefined) return await this.#locateUpload(upload, wantedBytes);
        await upload.finishing;
      } catch (error) {
        // However it failed, the catalog knows what is left of it once it is over.
        this.#log.debug("an upload failed while it was read", { streamId, error });
        await upload.over;
      }
    }
    return this.locateKnown(streamId) ?? this.#locateInCatalog(streamId);
  }

  /** Tells `follower` how an upload that goes on now grows, whoever goes on with it. False: nobody uploads the stream. */
  follow(streamId: string, follower: Follower): boolean {
    if (!this.#uploads.has(streamId)) return false;
    this.#followers.add(streamId, follower);
    return true;
  }

  unfollow(streamId: string, follower: Follower): void {
    this.#followers.remove(streamId, follower);
  }

  find(streamId: string): Promise<StreamRow | null> {
    return this.#pool.keeper.call("find", { streamId });
  }

  list(query: ListQuery): Promise<StreamRow[]> {
    return this.#pool.keeper.call("list", query);
  }

  figures(): CacheFigures {
    let finishing = 0;
    for (const upload of this.#uploads.values()) if (upload.finishing !== undefined) finishing += 1;
    const { finished, unfinished, objects } = this.#counts;
    const { objectBytes, unfinishedBytes } = this.admission;
    return {
      uploading: this.#uploads.size - finishing,
      finishing,
      // An upload is not in the catalog yet for a moment at its start.
      interrupted: Math.max(0, unfinished - this.#uploads.size),
      finished,
      objects,
      objectBytes,
      unfinishedBytes,
      limitBytes: this.#settings.maxCacheBytes,
    };
  }

  /** Bytes received of a stream that is being uploaded, or undefined. */
  receivedBytes(streamId: string): number | undefined {
    return this.#uploads.get(streamId)?.receivedBytes;
  }

  /** Removes a stream that nobody uploads; STREAM_UNFINISHED if somebody does, STREAM_UNKNOWN if there is none. */
  async remove(streamId: string): Promise<void> {
    if (this.#uploads.has(streamId)) throw new WavecacheError("STREAM_UNFINISHED");
    const known = this.#known.get(streamId);
    this.#known.delete(streamId);
    // Whoever lets go of a file last frees its pages, which takes a while: that is to be the keeper.
    if (known !== undefined) this.#pool.readers.forget(known.file.path);
    const removed = await this.#pool.keeper.call("remove", { streamId });
    this.#counts.removed(removed);
    this.admission.objectBytes -= removed.objectBytes;
    this.admission.unfinishedBytes -= removed.unfinishedBytes;
    // A read that came meanwhile may have mapped it again.
    if (known !== undefined && removed.objectBytes > 0) this.#pool.readers.forget(known.file.path);
  }

  /** Lets uploads that are finishing finish, and keeps the others for a resume. */
  async close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#expiry);
    const uploads = [...this.#uploads.values()];
    for (const upload of uploads) upload.leave(new WavecacheError("SHUTTING_DOWN"));
    await Promise.all(uploads.map((upload) => upload.over));
  }

  openSlot(key: string, resume: boolean, events: UploadEvents): UploadSlot {
    return this.#pool.writers.open(key, resume, events);
  }

  flush(upload: Upload): Promise<unknown> {
    const { streamId, key } = upload;
    return this.#pool.keeper.call("flush", { streamId, key });
  }

  secure({ streamId, key }: Upload, bytes: number): Promise<void> {
    return this.#checkpoints.add({ streamId, key, size: bytes });
  }

  async commit(upload: Upload, sealed: Sealed): Promise<StreamRow> {
    const { streamId, key } = upload;
    const at = Date.now();
    const { row, addedBytes } = await this.#pool.keeper.call("finish", { streamId, key, ...sealed, at });
    this.admission.unfinishedBytes -= upload.receivedBytes;
    this.admission.objectBytes += addedBytes;
    this.#counts.committed(addedBytes);
    this.#remember(streamId, this.#readableObject(row));
    this.release(upload);
    return row;
  }

  async failed(upload: Upload, entered: boolean): Promise<void> {
    this.admission.unfinishedBytes -= upload.receivedBytes;
    try {
      if (entered && upload.isDiscarded) await this.#removeDiscarded(upload.streamId);
      else if (entered) await this.#leave(upload.streamId);
    } catch (error) {
      this.#recountDue = true;
      this.#log.error("an interrupted upload could not be noted in the catalog", {
        streamId: upload.streamId,
        error,
      });
    }
    this.release(upload);
  }

  /** What it had is not counted any more when this is called. */
  async #removeDiscarded(streamId: string): Promise<void> {
    this.#counts.removed(await this.#pool.keeper.call("remove", { streamId }));
  }

  async #leave(streamId: string): Promise<void> {
    const left = await this.#pool.keeper.call("leave", { streamId, at: Date.now() });
    this.#counts.left(left);
    if (left?.state === "unfinished") this.admission.unfinishedBytes += left.size;
    else if (left !== null) await this.#recount();
  }

  /** A commit failed after all but its last step, and was completed now: how much it added is not known. */
  async #recount(): Promise<void> {
    const totals = await this.#pool.keeper.call("totals", null);
    this.#counts.set(totals);
    this.#recountDue = false;
    this.admission.objectBytes = totals.objectBytes;
  }

  release(upload: Upload): void {
    if (upload.key !== "") this.#pool.readers.forget(this.#layout.incomingPath(upload.key));
    if (this.#uploads.get(upload.streamId) !== upload) return;
    this.#uploads.delete(upload.streamId);
    this.#followers.over(upload.streamId);
  }

  #checkStart(streamId: string): void {
    if (this.#closing) throw new WavecacheError("SHUTTING_DOWN");
    if (!isStreamId(streamId)) throw new WavecacheError("BAD_STREAM_ID");
    this.admission.checkStart();
  }

  async #locateUpload(upload: Upload, wantedBytes: number): Promise<Readable> {
    // Of one that is resumed it is not known before what there is, and where.
    await upload.ready;
    const size = await upload.readable(wantedBytes);
    return this.#growing(upload.key, size, upload.metadata);
  }

  async #locateInCatalog(streamId: string): Promise<Readable> {
    const row = isStreamId(streamId) ? await this.find(streamId) : null;
    if (row === null) throw new WavecacheError("STREAM_UNKNOWN");
    if (row.state !== "finished") return this.#growing(row.key, row.size, row.metadata);
    const readable = this.#readableObject(row);
    this.#remember(streamId, readable);
    return readable;
  }

  #growing(key: string, size: number, metadata: StreamMetadata): Readable {
    const file = { path: this.#layout.incomingPath(key), immutable: false };
    return { size, file, finishedAt: undefined, sha256: undefined, key, metadata };
  }

  #readableObject(row: StreamRow): Readable {
    const sha256 = row.sha256!;
    const { size, key } = row;
    const file = { path: this.#layout.objectPath(sha256), immutable: true };
    return { size, file, finishedAt: row.finishedAt!, sha256, key, metadata: describeStream(row) };
  }

  #remember(streamId: string, readable: Readable): void {
    this.#known.delete(streamId);
    this.#known.set(streamId, readable);
    if (this.#known.size > maxKnownStreams) this.#known.delete(this.#known.keys().next().value!);
  }

  async #expire(): Promise<void> {
    const before = Date.now() - this.#settings.incompleteTtlSeconds * 1000;
    try {
      const except = [...this.#uploads.keys()];
      const expired = await this.#pool.keeper.call("expire", { before, except });
      this.admission.unfinishedBytes -= expired.bytes;
      this.#counts.expired(expired.streamIds.length);
      for (const streamId of expired.streamIds)
        this.#log.info("an unfinished upload has expired", { streamId });
      if (this.#recountDue) await this.#recount();
    } catch (error) {
      this.#log.error("unfinished uploads could not be looked through", { error });
    }
  }

  #logRecovery({ recovery, totals }: KeeperResult<"open">): void {
    const { damaged, ...counts } = recovery;
    this.#log.info("store open", { finished: totals.finished, objectBytes: totals.objectBytes, ...counts });
    for (const streamId of damaged)
      this.#log.error("the audio of a finished stream is missing or cut", { streamId });
  }
}

/** A name in incoming/ that was never used before. */
function newKey(): string {
  return `${Date.now().toString(36)}-${randomBytes(8).toString("hex")}`;
}
