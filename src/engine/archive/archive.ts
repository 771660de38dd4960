/** The archive: stores objects in an S3 object store, drops local copies, and reads them back. */
import { rmSync } from "node:fs";
import { toWavecacheError, WavecacheError } from "../../base/errors.ts";
import { maxDelayedShare } from "../../base/limits/archive.ts";
import type { Log } from "../../base/log/log.ts";
import type { Readiness } from "../../base/readiness.ts";
import { ProcessorLoad } from "../../base/system/processors.ts";
import type { Archiver } from "../../pool/archiver.ts";
import type { KeeperClient } from "../../pool/keeper-client.ts";
import type { FileRef } from "../../pool/reader.ts";
import type { Readers } from "../../pool/readers.ts";
import type { ArchiveItem, ArchiveTotals, EvictableObject, ItemTotals } from "../../store/archive/catalog.ts";
import type { PartedUpload, StoredUpload } from "../../store/archive/parts/catalog.ts";
import type { CacheLayout } from "../../store/layout.ts";
import type { GrowingUpload, ReadOrder, StreamArchive } from "../streams/stream-archive.ts";
import type { RecordedWav } from "../../base/recording-entry.ts";
import type { MeasuredRef } from "../../store/recordings/peaks/files.ts";
import type { RetainedKind } from "../../store/retention/catalog.ts";
import type { Reads } from "../retention/reads.ts";
import type { OpenedSamples, SamplesArchive } from "../recordings/samples.ts";
import type { Streams } from "../streams/streams.ts";
import { Acknowledgements } from "./acknowledgements.ts";
import { ArchivedReader } from "./archived-reader.ts";
import { ArchiveAvailability } from "./availability.ts";
import { Eviction, type EvictionHost, type EvictionLimits } from "./eviction.ts";
import { ArchivedSamples } from "./archived-samples.ts";
import { FetchedMeasured } from "./fetched-measured.ts";
import { FetchedObjects } from "./fetched-objects.ts";
import { ArchivePace } from "./pace.ts";
import { ObjectCopies } from "./object-copies.ts";
import { RecordingCopies } from "./recording-copies.ts";
import { ArchiveQueue } from "./queue.ts";
import { UploadParts, type UploadPartsHost } from "./upload-parts.ts";
import { type RestoreHost, UploadRestores } from "./upload-restores.ts";

export interface ArchiveParts {
  keeper: Pick<KeeperClient, "call">;
  archiver: Archiver;
  readers: Readers;
  layout: CacheLayout;
  recordingsDir: string;
  readiness: Readiness;
  streams: Pick<
    Streams,
    "admission" | "damage" | "reads" | "uploadLimits" | "archiveBy" | "leavePlaces" | "forgetPlaces"
  >;
}

export interface ArchiveSettings extends EvictionLimits {
  /** What an acknowledgement promises: durable here, or in the archive, too. */
  readonly acknowledge: "local" | "archived";
}

const noItems: ItemTotals = {
  queued: 0,
  queuedBytes: 0,
  archived: 0,
  archivedBytes: 0,
  evicted: 0,
  evictedBytes: 0,
};

const nothing: ArchiveTotals = {
  ...noItems,
  recordings: { ...noItems },
  removals: 0,
  oldestQueuedAt: null,
};

/** The totals of the catalog are read again after this, for the admission and the metrics. */
const totalsMs = 1_000;

export class Archive implements StreamArchive, SamplesArchive {
  readonly availability: ArchiveAvailability;
  readonly pace: ArchivePace;
  readonly queue: ArchiveQueue;
  readonly parts: UploadParts;
  readonly restores: UploadRestores;
  readonly fetched: FetchedObjects;
  readonly eviction: Eviction;
  totals: ArchiveTotals = nothing;
  readonly #parts: ArchiveParts;
  readonly #settings: ArchiveSettings;
  readonly #acknowledgements: Acknowledgements;
  readonly #measured: FetchedMeasured;
  #recordingReads: Pick<Reads<number>, "isInProgress"> | undefined;
  readonly #log: Log;
  #ticker: Timer | undefined;
  #counting: Promise<void> | undefined;

  constructor(parts: ArchiveParts, settings: ArchiveSettings, log: Log) {
    const { keeper, archiver, layout, readers, readiness, streams } = parts;
    this.#parts = parts;
    this.#settings = settings;
    this.#acknowledgements = new Acknowledgements(keeper);
    this.#log = log;
    this.availability = new ArchiveAvailability(readiness, log);
    const { availability } = this;
    this.pace = this.#paceOf(settings, new ProcessorLoad());
    this.parts = new UploadParts(this.#partsHost(), log);
    this.restores = new UploadRestores(this.#restoreHost(), log);
    this.queue = new ArchiveQueue(
      {
        keeper,
        archiver,
        availability,
        pace: this.pace,
        keysUnderWay: () => this.parts.keysUnderWay,
        archived: (item) => this.#archived(item),
        damaged: (item, error) => this.#damaged(item, error),
      },
      log,
    );
    const forget = (path: string) => readers.forget(path);
    this.fetched = new FetchedObjects(
      {
        keeper,
        archiver,
        layout,
        answered: (error) => this.#answered(error),
        reserve: (bytes) => this.#reserve(bytes),
        forget,
        localized: (sha256) => this.#localized(sha256),
        lost: (sha256, error) => void this.#lost(sha256, error),
      },
      log,
    );
    this.eviction = new Eviction(this.#evictionHost(), settings, log);
    this.#measured = new FetchedMeasured(
      { archiver, folder: layout.fetchedMeasured, answered: (error) => this.#answered(error) },
      log,
    );
    streams.archiveBy(this);
  }

  /** The store must be open. What an earlier run has fetched in part is a cache. */
  async open(): Promise<void> {
    rmSync(this.#parts.layout.fetched, { recursive: true, force: true });
    await this.count();
    this.#ticker = setInterval(() => void this.count(), totalsMs);
    this.queue.open();
    this.eviction.open();
  }

  async close(): Promise<void> {
    clearInterval(this.#ticker);
    this.#acknowledgements.close();
    await this.eviction.close();
    await this.#parts.archiver.close();
    await this.parts.close();
    await this.restores.close();
    await this.queue.close();
    await this.fetched.close();
    await this.#counting;
  }

  /** The reader of a new connection. */
  assign(order: ReadOrder = "in order"): ArchivedReader {
    return new ArchivedReader(this.#parts.readers.assign(), this.fetched, order);
  }

  /** Brings a range of an archived object here. */
  bring(file: FileRef, offset: number, length: number): FileRef | Promise<FileRef> {
    return file.isArchived === true ? this.fetched.range(file, offset, length) : file;
  }

  /** Recordings that are being read stay here. */
  watchRecordings(reads: Pick<Reads<number>, "isInProgress">): void {
    this.#recordingReads = reads;
  }

  openSamples(wav: RecordedWav): OpenedSamples {
    const forget = () => this.fetched.forget(wav.sha256);
    return new ArchivedSamples(this.assign("as they come"), this.#parts.layout, wav, forget);
  }

  get measuredFolder(): string {
    return this.#measured.folder;
  }

  async bringMeasured(refs: readonly MeasuredRef[]): Promise<boolean> {
    return await this.#measured.bring(refs);
  }

  /** Closes a file that is about to be deleted. */
  forget(path: string): void {
    this.#parts.readers.forget(path);
  }

  /** An upload was committed, or adopted audio. */
  committed(): void {
    this.queue.wake();
  }

  /** With `acknowledge = "archived"`, parts of an upload are stored while it comes. */
  grew(upload: GrowingUpload): number {
    return this.#settings.acknowledge === "archived" ? this.parts.grew(upload) : Number.POSITIVE_INFINITY;
  }

  /** With `acknowledge = "archived"`, stores what an interrupted upload has past its last part. */
  async storeTail(upload: PartedUpload, size: number): Promise<void> {
    if (this.#settings.acknowledge === "archived") await this.parts.storeTail(upload, size);
  }

  /** Brings what the archive has of an upload here. */
  bringUpload(upload: PartedUpload, stored: StoredUpload): Promise<number> {
    return this.restores.bring(upload, stored);
  }

  /** With `acknowledge = "archived"`, an upload ends only once the archive has its object. */
  async acknowledged(sha256: string): Promise<void> {
    if (this.#settings.acknowledge === "archived") await this.#acknowledgements.wait(sha256);
  }

  /** Local copies make room for an upload. */
  reclaim(bytes: number): boolean {
    return this.evictableBytes.streams > 0 && this.eviction.reclaim(bytes);
  }

  /** About what local copies may go. */
  get evictableBytes(): Record<RetainedKind, number> {
    const { totals } = this;
    return { streams: localBytesOf(totals), recordings: localBytesOf(totals.recordings) };
  }

  /** Reads the totals of the catalog. Single flight; never rejects. */
  count(): Promise<void> {
    this.#counting ??= this.#count().finally(() => {
      this.#counting = undefined;
    });
    return this.#counting;
  }

  async #count(): Promise<void> {
    try {
      this.totals = await this.#parts.keeper.call("archiveTotals", null);
      this.#parts.streams.admission.evictedBytes = this.totals.evictedBytes;
    } catch (error) {
      this.#log.debug("the archive could not be counted", { error });
    }
  }

  #partsHost(): UploadPartsHost {
    const { keeper, archiver, streams } = this.#parts;
    return {
      keeper,
      archiver,
      answered: (error) => this.#answered(error),
      settled: () => this.queue.wake(),
      maxStreamBytes: () => streams.uploadLimits.maxStreamBytes,
    };
  }

  #restoreHost(): RestoreHost {
    const { keeper, archiver, layout, streams } = this.#parts;
    const { admission } = streams;
    return {
      keeper,
      archiver,
      layout,
      answered: (error) => this.#answered(error),
      count: (bytes) => {
        if (bytes > 0) admission.checkStart(bytes);
        admission.unfinishedBytes += bytes;
      },
    };
  }

  /** An upload that waits for the archive must not wait for other uploads. */
  #paceOf({ acknowledge, localBytes }: ArchiveSettings, load: ProcessorLoad): ArchivePace {
    const { admission } = this.#parts.streams;
    const host = {
      now: () => performance.now(),
      storedBytes: () => admission.objectBytes + admission.unfinishedBytes,
      processorShare: () => load.share(),
      queuedBytes: () => this.totals.queuedBytes + this.totals.recordings.queuedBytes,
    };
    return new ArchivePace(host, acknowledge === "archived" ? -1 : localBytes * maxDelayedShare);
  }

  #evictionHost(): EvictionHost {
    const { keeper, layout, streams, recordingsDir } = this.#parts;
    return {
      objects: new ObjectCopies({
        keeper,
        isInUse: (streamId) => streams.reads.isInProgress(streamId),
        leave: (objects, removal) => this.#leave(objects, removal),
        evicted: (objects) => this.#evicted(objects),
      }),
      recordings: new RecordingCopies({
        keeper,
        folder: recordingsDir,
        isInUse: (id) => this.#recordingReads?.isInProgress(id) === true,
        evicted: ({ count, bytes }) => {
          this.totals.recordings.evicted += count;
          this.totals.recordings.evictedBytes += bytes;
        },
      }),
      fetched: this.fetched,
      folders: { cache: layout.root, recordings: recordingsDir },
      localBytes: () => ({
        cache: streams.admission.cacheBytes,
        recordings: this.totals.recordings.queuedBytes + this.evictableBytes.recordings,
      }),
    };
  }

  #archived({ sha256, size, recording }: ArchiveItem): void {
    if (recording === null) this.#acknowledgements.archived(sha256);
    const totals = recording === null ? this.totals : this.totals.recordings;
    totals.archived += 1;
    totals.archivedBytes += size;
  }

  /** A recording without its samples was removed meanwhile, or the look for files finds that. */
  #damaged({ sha256, recording: name }: ArchiveItem, error: WavecacheError): void {
    const { streams, layout } = this.#parts;
    if (name === null) streams.damage.report(layout.objectPath(sha256), error);
    else if (error.code === "OBJECT_DAMAGED")
      this.#log.warn("a recording differs from what was recorded, and is not archived", { name });
  }

  #answered(error: unknown): void {
    if (error === undefined) return this.availability.succeeded();
    const { code, detail } = toWavecacheError(error);
    if (code === "ARCHIVE_UNAVAILABLE") this.availability.failed(detail);
  }

  /** Throws FETCHES_EXHAUSTED. */
  #reserve(bytes: number): void {
    const { admission } = this.#parts.streams;
    if (bytes > 0 && admission.freeBytes < bytes && this.fetched.drop(bytes) < bytes) {
      this.eviction.reclaim(bytes);
      throw new WavecacheError("FETCHES_EXHAUSTED");
    }
    admission.fetchedBytes += bytes;
  }

  #localized(sha256: string): void {
    this.#parts.streams.forgetPlaces([this.#parts.layout.objectPath(sha256)]);
    void this.count();
  }

  #leave(objects: readonly EvictableObject[], removal: Promise<unknown>): void {
    const { streams, layout } = this.#parts;
    streams.leavePlaces(
      objects.flatMap(({ streamIds }) => streamIds),
      removal,
    );
    this.#forgetObjects(objects.map(({ sha256 }) => layout.objectPath(sha256)));
  }

  /** Again: reads during the removal may have opened the files. */
  #evicted(objects: readonly { sha256: string; size: number }[]): void {
    const bytes = objects.reduce((sum, { size }) => sum + size, 0);
    this.totals.evicted += objects.length;
    this.totals.evictedBytes += bytes;
    this.#parts.streams.admission.evictedBytes += bytes;
    for (const { sha256 } of objects) this.fetched.forget(sha256);
    this.#forgetObjects(objects.map(({ sha256 }) => this.#parts.layout.objectPath(sha256)));
  }

  #forgetObjects(paths: string[]): void {
    this.#parts.streams.forgetPlaces(paths);
    for (const path of paths) this.#parts.readers.forget(path);
  }

  async #lost(sha256: string, error: WavecacheError): Promise<void> {
    try {
      const { streamIds, recordings } = await this.#parts.keeper.call("archiveLost", { sha256 });
      if (recordings.length > 0)
        this.#log.warn("recordings are missing or damaged in the archive", {
          recordings,
          detail: error.detail,
        });
      if (streamIds.length === 0) return;
      const hint = "an upload of the same audio repairs it";
      this.#log.warn("audio is missing or damaged in the archive", {
        sha256,
        streamIds,
        detail: error.detail,
        hint,
      });
      await this.#parts.streams.damage.recount();
    } catch (failure) {
      this.#log.warn("the catalog did not note damage in the archive", { sha256, error: failure });
    }
  }
}

function localBytesOf({ archivedBytes, evictedBytes }: ItemTotals): number {
  return Math.max(0, archivedBytes - evictedBytes);
}
