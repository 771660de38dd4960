/** The rules about streams: which may be uploaded, resumed, read and removed, and what the thread pool does for that. */
import { WavecacheError } from "../../base/errors.ts";
import { maxOutboundBytes } from "../../base/limits/streams.ts";
import type { Log } from "../../base/log/log.ts";
import type { RequestContext } from "../../base/request-context.ts";
import type { Tracer } from "../../base/tracing/tracer.ts";
import { isStreamId } from "../../base/ids/stream-id.ts";
import { sharedNow } from "../../base/system/shared-clock.ts";
import type { Pool } from "../../pool/pool.ts";
import type { StoreNotice } from "../../store/check/notice.ts";
import type { RemovedStreams, RetentionReason, UploadRef } from "../../store/keeper-calls.ts";
import type { PartedUpload, StoredUpload } from "../../store/archive/parts/catalog.ts";
import type { CacheLayout } from "../../store/layout.ts";
import type { StoreCondition } from "../../store/store-guard.ts";
import type { FoundRows, ListQuery, StreamRow } from "../../store/streams/catalog.ts";
import type { TagsChange } from "../../store/streams/changes.ts";
import type { StreamSearch } from "../../store/streams/search.ts";
import { AudioReadings } from "./audio-readings.ts";
import { Reads } from "../retention/reads.ts";
import type { StoreConditions } from "../store-conditions.ts";
import { AccountStorage } from "./account-storage.ts";
import { ArchiveLink } from "./archive-link.ts";
import { Admission } from "./admission.ts";
import { StreamCounts } from "./counts.ts";
import { Damage } from "./damage.ts";
import { type CacheFigures, cacheFigures } from "./cache-figures.ts";
import { CurrentUploads, type CurrentUploadsHost, type NewStream } from "./current-uploads.ts";
import { type Follower, Followers } from "./followers.ts";
import { type InterruptedHost, InterruptedUploads } from "./interrupted-uploads.ts";
import { OutboundBudget } from "./outbound-budget.ts";
import { Scrub, type ScrubHost } from "./scrub.ts";
import { beginRead } from "./read-span.ts";
import { type Readable, ReadableStreams } from "./readable-streams.ts";
import type { RangeReader } from "../songs/stream-song.ts";
import { OwnUploads } from "./remote/own-uploads.ts";
import { type PeersHost, UploadPeers } from "./remote/upload-peers.ts";
import { StoredObjects } from "./stored-objects.ts";
import { type ChangedElsewhere, type RemovalHost, StreamRemovals } from "./stream-removals.ts";
import { StoreWatch } from "./store-watch.ts";
import type { ReadOrder, StreamArchive } from "./stream-archive.ts";
import { StreamQuota } from "./stream-quota.ts";
import type { StreamRetention, StreamsBase, StreamsSettings } from "./streams-settings.ts";
import { UploadSpans } from "./upload-spans.ts";
import type { Upload, UploadOwner } from "./upload.ts";
import { UploadStorage } from "./upload-storage.ts";

/** Interrupted uploads are checked for expiry at this interval, or more often if they expire sooner. */
const maxExpiryIntervalMs = 600_000;

export class Streams {
  /** The id of this node, once the store is open, if others share its catalog. */
  node: string | undefined;
  readonly admission: Admission;
  readonly damage: Damage;
  readonly scrub: Scrub;
  readonly objects: StoredObjects;
  /** What tokens have stored. */
  readonly accounts: AccountStorage;
  readonly reads = new Reads<string>();
  readonly outbound = new OutboundBudget(maxOutboundBytes);
  readonly #pool: Pool;
  readonly #layout: CacheLayout;
  readonly #tracer: Tracer;
  readonly #settings: StreamsSettings;
  readonly #conditions: StoreConditions;
  readonly #log: Log;
  readonly #uploads: CurrentUploads;
  readonly #counts = new StreamCounts();
  readonly #quota: StreamQuota;
  readonly #watch: StoreWatch;
  readonly #readings: AudioReadings;
  readonly #storage: UploadStorage;
  readonly #interrupted: InterruptedUploads;
  readonly #removals: StreamRemovals;
  /** Removes finished streams when interrupted uploads are not enough. */
  #retention: StreamRetention | undefined;
  readonly #archive: ArchiveLink;
  readonly #peers: UploadPeers | undefined;
  readonly #followers = new Followers(
    (streamId) => this.#uploads.all.get(streamId) ?? this.#peers?.get(streamId),
  );
  readonly #readable: ReadableStreams;
  #expiry: Timer | undefined;
  #closing = false;

  constructor({ pool, layout, conditions, tracer, bus }: StreamsBase, settings: StreamsSettings, log: Log) {
    this.#pool = pool;
    this.#layout = layout;
    this.#tracer = tracer;
    this.#settings = settings;
    this.#conditions = conditions;
    this.#log = log;
    this.admission = new Admission(settings, { reclaim: (...bytes) => this.#reclaim(...bytes) });
    this.#quota = new StreamQuota(settings, this.#counts, (id) => this.#retention?.isFull(id) === true);
    const { keepOrphans } = settings;
    const watched = { lostFound: layout.lostFound, keepOrphans };
    this.#watch = new StoreWatch(watched, this.#counts, this.admission, log);
    this.#archive = new ArchiveLink(pool.readers, layout);
    const found = {
      upload: (streamId: string) => this.#uploads.all.get(streamId),
      find: (streamId: string) => this.find(streamId),
      archive: this.#archive,
      locateElsewhere: async (row: StreamRow, wantedBytes: number) =>
        await this.#peers?.locate(row, wantedBytes),
    };
    this.#readable = new ReadableStreams(found, layout, this.reads, log);
    this.damage = new Damage(pool.keeper, (path) => this.#evicted(path), log);
    pool.readers.watchDamage((path, error) => this.damage.report(path, error));
    this.scrub = new Scrub(pool, layout, settings.scrub, this.#scrubHost(), log);
    const { keeper, encoders } = pool;
    const changed = (row: StreamRow) => this.#readable.changed(row);
    const whole = (row: StreamRow) => this.#archive.wholePath(row);
    this.#readings = new AudioReadings({ keeper, encoders, whole, changed }, log);
    const owner = {
      uploadCommitted: (row: StreamRow) => this.#committed(row),
      uploadReleased: (upload: Upload) => this.#release(upload),
      uploadGrew: (upload: Upload) => this.#archive.grew(upload),
      bringUpload: (upload: PartedUpload, stored: StoredUpload) => this.#archive.bringUpload(upload, stored),
      canAsk: () => this.#peers !== undefined,
      askForUpload: async (node: string, streamId: string) => await this.#peers?.askForUpload(node, streamId),
      archived: (sha256: string) => this.#archive.acknowledged(sha256),
    };
    const { archived } = owner;
    const rules = {
      archived,
      checkId: (id: string) => this.#checkId(id),
      newKey: () => this.#uploads.newKey(),
    };
    this.accounts = new AccountStorage(pool.keeper, log);
    const { admission, accounts } = this;
    const figures = {
      admission,
      counts: this.#counts,
      quota: this.#quota,
      accounts,
      spans: new UploadSpans(tracer),
    };
    this.objects = new StoredObjects(pool.keeper, figures, rules);
    this.#storage = new UploadStorage(pool, figures, owner, log);
    this.#uploads = new CurrentUploads(this.#storage, this.#uploadsHost());
    this.#peers = bus && new UploadPeers(bus, this.#peersHost(), log);
    this.#interrupted = new InterruptedUploads(this.#interruptedHost(), admission, this.#counts, log);
    this.#removals = new StreamRemovals(pool, layout, this.#removalHost());
  }

  /** `retention` makes room in a full cache once there are no interrupted uploads left to remove. */
  retainBy(retention: StreamRetention): void {
    this.#retention = retention;
  }

  /** Local copies that the archive has make room before any stream goes. */
  archiveBy(archive: StreamArchive): void {
    this.#archive.archive = archive;
  }

  get hasArchive(): boolean {
    return this.#archive.hasArchive;
  }

  /** Whoever wants to read one of these streams waits until its local copy is gone. */
  leavePlaces(streamIds: readonly string[], removal: Promise<unknown>): void {
    this.#removals.hold(streamIds, removal);
  }

  /** Objects came here, or went to the archive alone: what is known of their streams is wrong. */
  forgetPlaces(paths: readonly string[]): void {
    this.#readable.forgetPaths(paths);
  }

  /** Opens the store, which begins to check itself in the background. Call it before anything else. */
  async open(): Promise<void> {
    const { keepOrphans, archive, catalog } = this.#settings;
    const args = {
      cacheDir: this.#layout.root,
      catalog,
      keyPrefix: this.#uploads.keyPrefix,
      keepOrphans,
      isReopened: false,
      afterFault: false,
      archive,
      at: sharedNow(),
    };
    const { totals, recovery, node } = await this.#pool.keeper.open(args, {
      notified: (notice) => this.#noticed(notice),
      conditionChanged: (condition) => this.#changeCondition(condition),
    });
    this.node = node ?? undefined;
    if (this.node !== undefined) this.#peers?.open(this.node);
    this.#counts.set(totals);
    this.admission.objectBytes = totals.objectBytes;
    this.admission.unfinishedBytes = totals.unfinishedBytes;
    this.#log.info("store open", { ...totals, ...recovery });
    await this.#expire();
    const { incompleteTtlSeconds } = this.#settings;
    const interval = Math.min(maxExpiryIntervalMs, Math.max(500, incompleteTtlSeconds * 500));
    this.#expiry = setInterval(() => void this.#expire(), interval);
    await this.damage.recount();
    this.scrub.start();
    this.#readings.start();
  }

  /** Starts a new stream. Throws what can be refused at once; a later refusal rejects `ready` of the upload. */
  startUpload(streamId: string, owner: UploadOwner, stream: NewStream = {}): Upload {
    return this.#uploads.start(streamId, owner, stream);
  }

  /** Resumes an interrupted stream, evicting its current upload, or starts a new one with this metadata. */
  resumeUpload(streamId: string, owner: UploadOwner, stream: NewStream = {}): Upload {
    return this.#uploads.resume(streamId, owner, stream, "resume");
  }

  /** As `resumeUpload`, but only of a stream that exists: `ready` of the upload rejects with STREAM_UNKNOWN otherwise. */
  reopenUpload(streamId: string, owner: UploadOwner): Upload {
    return this.#uploads.resume(streamId, owner, {}, "reopen");
  }

  /** As `resumeUpload`, but discards what the stream has. Rejects with STREAM_FINISHED for a finished stream. */
  restartUpload(streamId: string, owner: UploadOwner, stream: NewStream = {}): Upload {
    return this.#uploads.resume(streamId, owner, stream, "restart");
  }

  /** Assigns a reader to one connection. */
  assignReader(order: ReadOrder = "in order"): RangeReader {
    return this.#archive.assign(order);
  }

  /** Finds a finished stream in memory. GETs use this first, as it needs no promise. */
  locateKnown(streamId: string): Readable | undefined {
    return this.#readable.locateKnown(streamId);
  }

  /**
   * Finds the part of a stream that can be read now. While the stream is uploaded, that is at least `wantedBytes`, if
   * that many were received before this call. Rejects with STREAM_UNKNOWN.
   */
  locate(streamId: string, wantedBytes: number): Promise<Readable> {
    return this.#readable.locate(streamId, wantedBytes);
  }

  /** A read begins: retention keeps the stream until the returned function is called. */
  hold(streamId: string, context?: RequestContext): () => void {
    return beginRead(this.#tracer, streamId, context, this.reads.hold(streamId));
  }

  /** Reports the growth of a current upload to `follower`, also after a resume. False if nobody uploads the stream. */
  follow(streamId: string, follower: Follower): boolean {
    if (!this.#uploads.all.has(streamId) && this.#peers?.isGrowing(streamId) !== true) return false;
    this.#followers.add(streamId, follower);
    return true;
  }

  unfollow(streamId: string, follower: Follower): void {
    this.#followers.remove(streamId, follower);
  }

  async find(streamId: string): Promise<StreamRow | null> {
    await this.#removals.leaving(streamId);
    return await this.#pool.keeper.call("find", { streamId });
  }

  /** A stream by its id, or else the only one of this name; null for none, or for several of the name. */
  lookUp(idOrName: string): Promise<StreamRow | null> {
    return this.#pool.keeper.call("lookUp", { idOrName });
  }

  list(query: ListQuery): Promise<StreamRow[]> {
    return this.#pool.keeper.call("list", query);
  }

  /** Null removes a tag. Rejects with STREAM_UNKNOWN, and with BAD_REQUEST if the stream has too many tags then. */
  async changeTags(streamId: string, patch: TagsChange["patch"]): Promise<StreamRow> {
    const row = await this.#pool.keeper.call("change", { streamId, patch });
    this.#readable.changed(row);
    return row;
  }

  search(query: StreamSearch): Promise<FoundRows> {
    return this.#pool.keeper.call("search", query);
  }

  figures(): CacheFigures {
    const { maxCacheBytes } = this.#settings;
    return cacheFigures(this.#uploads.all.values(), this.#counts, this.admission, maxCacheBytes);
  }

  /** Interrupted uploads, and their bytes, that were removed to make room. */
  get reclaimed(): { readonly uploads: number; readonly bytes: number } {
    return this.#interrupted.reclaimed;
  }

  /** Uploads of other nodes that are read here. */
  get following(): number {
    return this.#peers?.following ?? 0;
  }

  /** What an upload may have, and how long it may be interrupted. */
  get uploadLimits(): Pick<StreamsSettings, "maxStreamBytes" | "incompleteTtlSeconds"> {
    return this.#settings;
  }

  /** How far the background check of the store is. */
  get check(): Pick<StoreWatch, "isRunning" | "figures"> {
    return this.#watch;
  }

  /** Bytes that a current upload has received; undefined if nobody uploads the stream. */
  receivedBytes(streamId: string): number | undefined {
    return this.#uploads.all.get(streamId)?.receivedBytes;
  }

  /** Removes a stream. Rejects with STREAM_UNFINISHED while it is uploaded, STREAM_UNKNOWN if it does not exist. */
  remove(streamId: string): Promise<void> {
    return this.#removals.remove(streamId);
  }

  /** Other nodes have removed or changed these streams of this one. */
  async changedElsewhere(changed: ChangedElsewhere): Promise<void> {
    this.#removals.changedElsewhere(changed);
    await this.#storage.recount();
    await this.damage.recountIfAny();
  }

  /** Removes finished streams that nobody reads and nobody has pinned. Resolves with those that it removed. */
  removeTogether(streams: readonly UploadRef[], reason: RetentionReason): Promise<RemovedStreams> {
    return this.#removals.removeTogether(streams, reason);
  }

  /** Waits for uploads that are finishing, and keeps the others for a resume. */
  async close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#expiry);
    this.#readings.close();
    await this.#peers?.close();
    await Promise.all([this.scrub.close(), this.#uploads.leave(new WavecacheError("SHUTTING_DOWN"))]);
  }

  #noticed(notice: StoreNotice): void {
    this.#watch.receive(notice);
    // The check has added the streams of an older version to the index.
    if (notice.check.state === "done") this.#readings.start();
    if (notice.check.damaged.length > 0) void this.damage.recount();
  }

  #reclaim(excessBytes: number, newBytes: number): boolean {
    const { archive } = this.#archive;
    if (this.#interrupted.reclaim(excessBytes) || archive?.reclaim(excessBytes) === true) return true;
    return this.#retention?.reclaim(excessBytes, newBytes) === true;
  }

  #removalHost(): RemovalHost {
    return {
      admission: this.admission,
      counts: this.#counts,
      damage: this.damage,
      isUploading: (streamId) => this.#uploads.all.has(streamId),
      isBeingRead: (streamId) => this.reads.isInProgress(streamId),
      removeElsewhere: async (streamId) => {
        const node = (await this.find(streamId))?.otherNode;
        return node !== undefined && (await this.#peers?.remove(node, streamId)) === true;
      },
      forget: (streamId) => this.#readable.forget(streamId),
    };
  }

  #scrubHost(): ScrubHost {
    return {
      objectBytes: () => this.admission.objectBytes - this.admission.evictedBytes,
      disproved: (sha256) => this.damage.disproved(sha256),
    };
  }

  #committed(row: StreamRow): void {
    const readable = this.#readable.enter(row);
    // The upload has replaced an object that readers may have open, and that may be damaged.
    this.#pool.readers.forget(readable.file.path);
    void this.damage.replaced(row.sha256!);
    this.#archive.archive?.committed();
    this.#readings.start();
  }

  /** The archive has it: the next read fetches it. */
  #evicted(path: string): void {
    this.#readable.forgetPaths([path]);
    this.#pool.readers.forget(path);
  }

  #release(upload: Upload): void {
    if (upload.key !== "") this.#pool.readers.forget(this.#layout.incomingPath(upload.key));
    this.#uploads.release(upload);
  }

  #uploadsHost(): CurrentUploadsHost {
    return {
      quota: this.#quota,
      checkId: (streamId) => this.#checkId(streamId),
      replaced: (streamId) => this.#followers.end(streamId),
      begun: (streamId) => this.#peers?.forget(streamId),
      ended: (streamId) => this.#followers.end(streamId),
    };
  }

  #peersHost(): PeersHost {
    const own = new OwnUploads({
      remove: (streamId) => this.remove(streamId),
      uploads: this.#uploads,
      layout: this.#layout,
      find: (streamId) => this.find(streamId),
      archive: () => this.#archive.archive,
      assignReader: () => this.assignReader("as they come"),
    });
    return {
      own,
      layout: this.#layout,
      reserve: (bytes) => this.admission.reserveFetched(bytes),
      forget: (path) => this.#pool.readers.forget(path),
      isInUse: (streamId) => this.reads.isInProgress(streamId),
      ended: (streamId) => this.#followers.end(streamId),
    };
  }

  #interruptedHost(): InterruptedHost {
    const settings = this.#settings;
    return {
      call: this.#pool.keeper.call.bind(this.#pool.keeper),
      uploads: this.#uploads.all,
      get ttlMs() {
        return settings.incompleteTtlSeconds * 1000;
      },
    };
  }

  #checkId(streamId: string): void {
    if (this.#closing) throw new WavecacheError("SHUTTING_DOWN");
    if (!isStreamId(streamId)) throw new WavecacheError("BAD_STREAM_ID");
    this.#conditions.refuse("STORE_LOST");
  }

  #changeCondition({ code, detail }: StoreCondition): void {
    this.#conditions.change(code, detail);
    // Another node may have taken over the uploads of a node that was fenced.
    if (detail === null || (code !== "STORE_LOST" && code !== "FENCED")) return;
    this.#uploads.fail(new WavecacheError(code));
  }

  async #expire(): Promise<void> {
    try {
      await this.#interrupted.expire();
      await this.#storage.recountIfDue();
    } catch (error) {
      this.#log.error("unfinished uploads could not be checked for expiry", { error });
    }
  }
}
