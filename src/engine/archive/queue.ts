/**
 * Carries out what waits in the catalog: objects and recordings to be stored in the archive, and keys to be removed from
 * it. Everything that matters is in the catalog, so a restart continues. What is in progress is known here: no key is
 * stored and removed at the same time.
 */
import { WavecacheError } from "../../base/errors.ts";
import {
  archiveFillPage,
  archivePollMs,
  maxArchivePuts,
  maxArchiveRemovals,
  maxArchiveRetryMs,
} from "../../base/limits/archive.ts";
import type { Log } from "../../base/log/log.ts";
import { RateLimitedLog } from "../../base/log/rate-limited-log.ts";
import { sharedNow } from "../../base/system/shared-clock.ts";
import { type Archiver, ArchiverCallError } from "../../pool/archiver.ts";
import type { KeeperClient } from "../../pool/keeper-client.ts";
import type { QueuedItem } from "../../store/archive/calls.ts";
import type { ArchiveItem, ArchiveRemoval } from "../../store/archive/catalog.ts";
import { type ArchiveAvailability, backoffMs } from "./availability.ts";
import type { ArchivePace } from "./pace.ts";
import { UploadSweep } from "./upload-sweep.ts";

export interface QueueHost {
  keeper: Pick<KeeperClient, "call">;
  archiver: Pick<Archiver, "call" | "watchUploads">;
  availability: ArchiveAvailability;
  pace: Pick<ArchivePace, "mayStore" | "caughtUp">;
  /** Keys of uploads in parts that somebody else works on now. */
  keysUnderWay(): string[];
  /** The archive and the catalog have the object, or the recording. */
  archived(item: ArchiveItem): void;
  /** What was to be stored is damaged or missing here. */
  damaged(item: ArchiveItem, error: WavecacheError): void;
}

export class ArchiveQueue {
  /** Since the start. */
  storedBytes = 0;
  readonly #host: QueueHost;
  readonly #sweep: UploadSweep;
  readonly #failures: RateLimitedLog;
  readonly #log: Log;
  /** What is being stored and removed, by key. */
  readonly #puts = new Map<string, Promise<void>>();
  readonly #removals = new Map<string, Promise<void>>();
  #poll: Timer | undefined;
  #running: Promise<void> | undefined;
  #isAsked = false;
  #isFilled = false;
  #isClosing = false;

  constructor(host: QueueHost, log: Log) {
    this.#host = host;
    this.#sweep = new UploadSweep(host);
    this.#log = log;
    this.#failures = new RateLimitedLog(log);
    host.archiver.watchUploads((item, uploadId) => void this.#begun(item, uploadId));
  }

  /** The store must be open. */
  open(): void {
    this.#poll = setInterval(() => this.wake(), archivePollMs);
    this.wake();
  }

  /** There may be more to do. */
  wake(): void {
    if (this.#isClosing) return;
    this.#isAsked = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** The archiver must be closed already, or close meanwhile: its calls in progress fail then. */
  async close(): Promise<void> {
    this.#isClosing = true;
    clearInterval(this.#poll);
    await Promise.all([this.#running, ...this.#puts.values(), ...this.#removals.values()]);
  }

  async #run(): Promise<void> {
    try {
      while (this.#isAsked && !this.#isClosing) {
        this.#isAsked = false;
        await this.#fill();
        if (this.#host.availability.isPaused) return;
        await this.#sweepUploads();
        await this.#startPuts();
        await this.#startRemovals();
      }
    } catch (error) {
      if (!this.#isClosing) this.#failures.warn("the queue of the archive could not be read", { error });
    }
  }

  /** A page at a time, between other work: objects of the time without an archive. */
  async #fill(): Promise<void> {
    if (this.#isFilled) return;
    const call = { limit: archiveFillPage, at: sharedNow() };
    this.#isFilled = !(await this.#host.keeper.call("archiveFill", call));
    if (!this.#isFilled) this.#isAsked = true;
  }

  async #sweepUploads(): Promise<void> {
    if (!this.#sweep.isDue) return;
    try {
      const aborted = await this.#sweep.run();
      this.#host.availability.succeeded();
      if (aborted > 0) this.#log.info("uploads to the archive that were cut off were removed", { aborted });
    } catch (error) {
      if (!(error instanceof ArchiverCallError)) throw error;
      this.#noteFailure(error);
    }
  }

  /** While the store does not answer, one object tries it. */
  async #startPuts(): Promise<void> {
    const { keeper, availability, pace } = this.#host;
    const limit = (availability.isAvailable ? maxArchivePuts : 1) - this.#puts.size;
    if (limit <= 0 || !pace.mayStore()) return;
    const exceptKeys = [...this.#puts.keys(), ...this.#host.keysUnderWay()];
    const due = await keeper.call("archiveDue", { limit, exceptKeys });
    if (due.length < limit) pace.caughtUp();
    for (const item of due) {
      this.#puts.set(
        item.key,
        this.#put(item).finally(() => this.#ended(this.#puts, item.key)),
      );
    }
  }

  async #startRemovals(): Promise<void> {
    const { keeper, availability } = this.#host;
    const limit = (availability.isAvailable ? maxArchiveRemovals : 1) - this.#removals.size;
    if (limit <= 0) return;
    const exceptKeys = [...this.#removals.keys(), ...this.#puts.keys(), ...this.#host.keysUnderWay()];
    for (const removal of await keeper.call("archiveRemovals", { limit, exceptKeys })) {
      const { key } = removal;
      this.#removals.set(
        key,
        this.#remove(removal).finally(() => this.#ended(this.#removals, key)),
      );
    }
  }

  #ended(all: Map<string, Promise<void>>, key: string): void {
    all.delete(key);
    this.wake();
  }

  /** Never rejects. */
  async #put(item: QueuedItem): Promise<void> {
    const { keeper, archiver, availability, archived } = this.#host;
    try {
      await archiver.call("put", item);
      availability.succeeded();
      if (!(await keeper.call("archived", { item }))) return;
      this.storedBytes += item.size;
      archived(item);
    } catch (error) {
      await this.#putFailed(item, error);
    }
  }

  async #putFailed(item: ArchiveItem, error: unknown): Promise<void> {
    if (this.#isClosing) return;
    const isDamage = error instanceof WavecacheError && damageCodes.has(error.code);
    if (isDamage) this.#host.damaged(item, error);
    else this.#noteFailure(error);
    const retryMs = isDamage
      ? maxArchiveRetryMs
      : backoffMs(item.failures + 1, maxArchiveRetryMs, Math.random());
    try {
      await this.#host.keeper.call("archiveFailed", { item, retryMs });
    } catch (failure) {
      this.#failures.warn("the catalog did not note a failure of the archive", { error: failure });
    }
  }

  /** Never rejects. */
  async #remove(removal: ArchiveRemoval): Promise<void> {
    const { keeper, archiver, availability } = this.#host;
    try {
      await archiver.call("remove", removal);
      availability.succeeded();
      await keeper.call("archiveRemoved", { key: removal.key });
    } catch (error) {
      this.#noteFailure(error);
    }
  }

  #noteFailure(error: unknown): void {
    if (this.#isClosing) return;
    const known = error instanceof ArchiverCallError ? error : undefined;
    if (known?.code === "ARCHIVE_UNAVAILABLE")
      this.#host.availability.failed(known.detail, known.retryAfterMs);
    else {
      this.#host.availability.failed(undefined);
      this.#failures.warn("an object could not be archived", { error });
    }
  }

  async #begun(item: { sha256: string; key: string }, uploadId: string | null): Promise<void> {
    try {
      await this.#host.keeper.call("archiveBegun", { item, uploadId });
    } catch (error) {
      this.#failures.warn("the catalog did not note an upload to the archive", { error });
    }
  }
}

const damageCodes: ReadonlySet<string> = new Set(["OBJECT_MISSING", "OBJECT_DAMAGED"]);
