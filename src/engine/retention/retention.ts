/**
 * Retention: keeps what is stored within the limits of its policies, and makes room in a full cache for uploads that wait.
 * It looks at the limits several times a second, and at ages once a minute.
 */
import {
  maxPlanned,
  readTimesFlushMs,
  retentionPassMs,
  retentionPauseMs,
  retentionTickMs,
  usageSampleMs,
} from "../../base/limits/retention.ts";
import { minStreamBytes } from "../../base/limits/streams.ts";
import type { Log } from "../../base/log/log.ts";
import { RateLimitedLog } from "../../base/log/rate-limited-log.ts";
import { sharedNow } from "../../base/system/shared-clock.ts";
import type { KeeperClient } from "../../pool/keeper-client.ts";
import type { Writers } from "../../pool/writers.ts";
import type { RetentionReason, UploadRef } from "../../store/keeper-calls.ts";
import type { RetainedKind, UsageSample } from "../../store/retention/catalog.ts";
import type { RecordingArchive } from "../recordings/archive.ts";
import type { StreamRetention } from "../streams/streams-settings.ts";
import type { Streams } from "../streams/streams.ts";
import { AbandonedRetention } from "./abandoned.ts";
import { Disks } from "./disks.ts";
import { Pins } from "./pins.ts";
import {
  type PlanBasis,
  type Removal,
  type RemovalReason,
  RetentionPlan,
  startOf,
  startOfFree,
} from "./plan.ts";
import { Policy, type PolicySettings } from "./policy.ts";
import { RemovalLog } from "./removal-log.ts";
import { RetentionRun } from "./run.ts";
import { PolicyUse, type Recorders } from "./use.ts";
import { reportUsage, type UsageReport } from "./usage.ts";

/** What retention is about. */
export interface RetentionBase {
  keeper: Pick<KeeperClient, "call">;
  writers: Pick<Writers, "figures">;
  streams: Pick<Streams, "admission" | "figures" | "node" | "reads" | "removeTogether" | "retainBy">;
  recordings: Pick<RecordingArchive, "reads" | "removeTogether" | "isIrremovable">;
  recorders: Recorders;
  /** Local copies that may go before any stream does; undefined without an archive. */
  archive?: { readonly evictableBytes: Readonly<Record<RetainedKind, number>> } | undefined;
  folders: Readonly<Record<RetainedKind, string>>;
}

export interface RetentionSettings {
  policies: readonly PolicySettings[];
  maxCacheBytes: number;
  maxStreams: number;
}

export interface PlannedRemovals {
  removals: Removal[];
  /** There are more than were looked for. */
  isComplete: boolean;
}

export type RemovedFigures = Record<RetainedKind, Record<RemovalReason, { count: number; bytes: number }>>;

export class Retention implements StreamRetention {
  /** Since the start. */
  readonly removed: RemovedFigures = { streams: nothingRemoved(), recordings: nothingRemoved() };
  readonly disks: Disks;
  readonly pins: Pins;
  readonly #base: RetentionBase;
  /** Each stream counts with a minimum of bytes, so the bytes of the cache limit their number, too. */
  #maxStreams = 0;
  #policies: readonly Policy[] = [];
  readonly #use: PolicyUse;
  readonly #abandoned: AbandonedRetention;
  readonly #removalLog: RemovalLog;
  readonly #failures: RateLimitedLog;
  readonly #timers: Timer[] = [];
  #run: RetentionRun | undefined;
  #running: Promise<void> | undefined;
  #ticking: Promise<void> | undefined;
  #measuring: Promise<void> = Promise.resolve();
  #lastRunAt: number | undefined;
  /** Of the monotonic clock. */
  #passedAtMs = -Infinity;
  #flushedAtMs = 0;
  #pausedUntilMs = 0;
  #pause: Timer | undefined;
  /** Bytes that an upload brings, and whether one has asked for room since the last plan. */
  #newBytes = 0;
  #isAskedAgain = false;
  #isClosing = false;

  constructor(base: RetentionBase, settings: RetentionSettings, log: Log) {
    this.#base = base;
    this.#use = new PolicyUse(base.keeper, base.streams, base.recorders);
    this.#removalLog = new RemovalLog(log);
    this.#abandoned = new AbandonedRetention(base.keeper, (kind, count, bytes) =>
      this.#noteRemoved(kind, "max-age", count, bytes),
    );
    this.#failures = new RateLimitedLog(log);
    this.disks = new Disks(base.folders);
    this.pins = new Pins(base.keeper);
    this.configure(settings);
    base.streams.retainBy(this);
  }

  /** Keeps to these limits from the next run on, which comes soon. A run in progress ends: it removes by older ones. */
  configure({ policies, maxCacheBytes, maxStreams }: RetentionSettings): void {
    this.#maxStreams = Math.min(maxStreams, Math.floor(maxCacheBytes / minStreamBytes));
    // What is in the archive does not fill the cache.
    const limitBytes = this.#base.archive === undefined ? maxCacheBytes : Infinity;
    this.#policies = policies.map((each) => new Policy(withinCache(each, limitBytes)));
    this.#use.forget();
    this.#passedAtMs = -Infinity;
    this.#run?.stop();
  }

  /** Call it once streams and recordings are open. */
  async open(): Promise<void> {
    await this.#tick();
    await this.#sample();
    this.#timers.push(setInterval(() => void this.#tickOnce(), retentionTickMs));
    this.#timers.push(setInterval(() => void this.#sample(), usageSampleMs));
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    for (const timer of this.#timers) clearInterval(timer);
    clearTimeout(this.#pause);
    this.#run?.stop();
    await Promise.all([this.#running, this.#ticking]);
    await this.#flushReads();
    this.#removalLog.write();
  }

  reclaim(_excessBytes: number, newBytes: number): boolean {
    if (!this.#makesRoom || this.#isClosing) return false;
    this.#newBytes = Math.max(this.#newBytes, newBytes);
    this.#isAskedAgain = true;
    this.#run?.hurry();
    this.#runSoon();
    return true;
  }

  isFull(streamId: string): boolean {
    return this.#policies.some((policy) => {
      const { mode, maxBytes } = policy.settings;
      if (mode !== "refuse" || maxBytes === undefined || !policy.matches("streams", streamId)) return false;
      return this.#use.lastKnown(policy).bytes >= maxBytes;
    });
  }

  /** What the next run would remove, in its order. */
  async plan(): Promise<PlannedRemovals> {
    await this.#refresh();
    const removals: Removal[] = [];
    for await (const removal of new RetentionPlan(this.#policies, this.#basis()).removals()) {
      if (removals.length === maxPlanned) return { removals, isComplete: false };
      removals.push(removal);
    }
    return { removals, isComplete: true };
  }

  /** What was stored, once an hour in the last days, oldest first, and what is now. */
  async history(): Promise<UsageSample[]> {
    const { keeper, streams } = this.#base;
    const { samples, recordings } = await keeper.call("retentionUsage", null);
    const { objectBytes, unfinishedBytes } = streams.figures();
    const recordingBytes = recordings.bytes + this.#use.unenteredBytes();
    return [...samples, { at: sharedNow(), streamBytes: objectBytes + unfinishedBytes, recordingBytes }];
  }

  async usage(): Promise<UsageReport> {
    await this.#refresh();
    const { keeper, streams } = this.#base;
    const found = await keeper.call("retentionUsage", null);
    const policies = await Promise.all(
      this.#policies.map(async (policy) => ({ settings: policy.settings, used: await this.#use.of(policy) })),
    );
    const { disks } = this;
    const facts = { figures: streams.figures(), unenteredBytes: this.#use.unenteredBytes(), found, policies };
    const report = reportUsage({ now: sharedNow(), ...facts, disks });
    return { ...report, lastRunAt: this.#lastRunAt, node: streams.node };
  }

  /** Some policy makes room for uploads. */
  get #makesRoom(): boolean {
    return this.#policies.some(
      ({ kind, coversAll, makesRoom, settings: { maxBytes, minFreeBytes } }) =>
        kind === "streams" && coversAll && makesRoom && (maxBytes ?? minFreeBytes) !== undefined,
    );
  }

  /** What a batch has freed matters at once. Otherwise the disks are looked at with the limits. */
  get #keepsDiskFree(): boolean {
    return this.#policies.some(({ settings: { minFreeBytes } }) => minFreeBytes !== undefined);
  }

  /** Plans and reports are about now. */
  async #refresh(): Promise<void> {
    await Promise.all([this.#measureDisks(), this.#flushReads(), this.#use.recount(this.#policies)]);
  }

  #tickOnce(): Promise<void> {
    this.#ticking ??= this.#tick().finally(() => {
      this.#ticking = undefined;
    });
    return this.#ticking;
  }

  async #tick(): Promise<void> {
    try {
      this.#removalLog.writeIfDue();
      await this.#measureDisks();
      if (performance.now() - this.#flushedAtMs > readTimesFlushMs) await this.#flushReads();
      const isPassDue = performance.now() - this.#passedAtMs > retentionPassMs;
      if (isPassDue) {
        this.#passedAtMs = performance.now();
        await this.#use.recount(this.#policies);
        await this.#abandoned.expire(this.#policies, sharedNow());
      } else await this.#use.recountIfChanged(this.#policies);
      if (performance.now() < this.#pausedUntilMs) return;
      const isAwaited = this.#makesRoom && this.#base.streams.admission.waitingBytes > 0;
      if (isPassDue || isAwaited || (await this.#isOverLimit())) void this.#runOnce();
    } catch (error) {
      this.#failures.warn("limits of retention could not be looked at", { error });
    }
  }

  /** One after the other: an older measurement must not follow a newer one. */
  #measureDisks(): Promise<void> {
    const measured = this.#measuring.then(() => this.#measure());
    this.#measuring = measured.catch(reportedToCaller);
    return measured;
  }

  async #measure(): Promise<void> {
    const { admission } = this.#base.streams;
    const { bytes, latelyBytes } = admission.admitted;
    const onTheWay = Math.max(latelyBytes, this.#unwrittenBytes());
    await this.disks.measure();
    const free = this.disks.get("streams")?.freeBytes ?? Infinity;
    const kept = this.#policies.filter(({ kind }) => kind === "streams");
    const rooms = kept.map(({ settings: { minFreeBytes } }) =>
      minFreeBytes === undefined ? Infinity : free - minFreeBytes,
    );
    admission.measuredDiskRoom(Math.min(Infinity, ...rooms), onTheWay + admission.admitted.bytes - bytes);
  }

  #unwrittenBytes(): number {
    const rings = this.#base.writers.figures().flatMap((thread) => thread.rings);
    return rings.reduce((sum, { ring }) => sum + ring.usedBytes, 0);
  }

  /** By what is known: it reads no more of the catalog than a row. */
  async #isOverLimit(): Promise<boolean> {
    for (const policy of this.#policies) {
      const { maxBytes, minFreeBytes } = policy.settings;
      if (!policy.makesRoom) continue;
      const free = this.disks.get(policy.kind)?.freeBytes ?? Infinity;
      if (minFreeBytes !== undefined && free < startOfFree(minFreeBytes)) return true;
      if (maxBytes === undefined) continue;
      const { bytes, count } = await this.#use.of(policy);
      if (bytes > startOf(maxBytes)) return true;
      if (policy.kind === "streams" && policy.coversAll && count > startOf(this.#maxStreams)) return true;
    }
    return false;
  }

  /** At once, unless the last run could not make the room that was needed. */
  #runSoon(): void {
    const pauseMs = this.#pausedUntilMs - performance.now();
    if (pauseMs <= 0) void this.#runOnce();
    else this.#pause ??= setTimeout(() => void this.#runOnce(), pauseMs);
  }

  #runOnce(): Promise<void> {
    clearTimeout(this.#pause);
    this.#pause = undefined;
    this.#running ??= this.#runAll().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Runs again while uploads ask for more room and there is something to remove. */
  async #runAll(): Promise<void> {
    const startedAtMs = performance.now();
    let isShort = false;
    try {
      do {
        this.#isAskedAgain = false;
        isShort = await this.#runPlan();
      } while (this.#isAskedAgain && !isShort && !this.#isClosing);
    } catch (error) {
      isShort = true;
      this.#failures.warn("what is not kept any longer could not be removed", { error });
    }
    this.#lastRunAt = sharedNow();
    this.#newBytes = 0;
    // Looking again at once would find the same that is in use or kept.
    const pauseMs = Math.max(retentionPauseMs, 10 * (performance.now() - startedAtMs));
    if (isShort) this.#pausedUntilMs = performance.now() + pauseMs;
  }

  /** Returns whether what may be removed was not enough. */
  async #runPlan(): Promise<boolean> {
    await Promise.all([this.#flushReads(), this.#measureDisks()]);
    const plan = new RetentionPlan(this.#policies, this.#basis());
    this.#run = new RetentionRun(this.#runHost());
    await this.#run.execute(plan.removals());
    this.#run = undefined;
    return plan.isShort;
  }

  #basis(): PlanBasis {
    const { keeper, streams, recordings } = this.#base;
    const newBytes = () => this.#newBytes;
    const streamIsInUse = (id: string) => streams.reads.isInProgress(id);
    const recordingIsInUse = (id: number) =>
      recordings.reads.isInProgress(id) || recordings.isIrremovable(id);
    return {
      now: sharedNow(),
      evictableBytes: this.#base.archive?.evictableBytes ?? { streams: 0, recordings: 0 },
      maxStreams: this.#maxStreams,
      get newBytes() {
        return newBytes();
      },
      get unwrittenBytes() {
        return streams.admission.waitingBytes + streams.admission.admitted.latelyBytes;
      },
      candidates: (query) => keeper.call("retentionCandidates", query),
      used: (policy) => this.#use.of(policy),
      disk: (kind) => this.disks.get(kind),
      isInUse: (kind, id) => (kind === "streams" ? streamIsInUse(String(id)) : recordingIsInUse(Number(id))),
    };
  }

  #runHost() {
    const { streams, recordings } = this.#base;
    return {
      removeStreams: (refs: readonly UploadRef[], reason: RetentionReason) =>
        streams.removeTogether(refs, reason),
      removeRecordings: (ids: readonly number[], reason: RetentionReason) =>
        recordings.removeTogether(ids, reason),
      removed: (batch: readonly Removal[], count: number, bytes: number) => this.#count(batch, count, bytes),
      isUrgent: () => streams.admission.waitingBytes > 0,
    };
  }

  async #count(batch: readonly Removal[], count: number, bytes: number): Promise<void> {
    const { kind, reason } = batch[0]!;
    this.#noteRemoved(kind, reason, count, bytes);
    this.#use.removed(batch);
    if (this.#keepsDiskFree) await this.#measureDisks();
  }

  #noteRemoved(kind: RetainedKind, reason: RemovalReason, count: number, bytes: number): void {
    const figures = this.removed[kind][reason];
    figures.count += count;
    figures.bytes += bytes;
    this.#removalLog.add({ kind, reason }, { count, bytes });
  }

  async #flushReads(): Promise<void> {
    this.#flushedAtMs = performance.now();
    const { keeper } = this.#base;
    const streams = this.#base.streams.reads.takeUnsaved();
    const recordings = this.#base.recordings.reads.takeUnsaved();
    if (streams.length + recordings.length > 0) await keeper.call("noteReads", { streams, recordings });
  }

  async #sample(): Promise<void> {
    try {
      await this.#base.keeper.call("sampleUsage", {
        at: sharedNow(),
        unenteredBytes: this.#use.unenteredBytes(),
      });
    } catch (error) {
      this.#failures.warn("usage could not be noted", { error });
    }
  }
}

function reportedToCaller(): void {}

function nothingRemoved(): RemovedFigures["streams"] {
  return {
    "max-age": { count: 0, bytes: 0 },
    "max-bytes": { count: 0, bytes: 0 },
    "min-free": { count: 0, bytes: 0 },
  };
}

/** A policy that makes room for uploads does so within the cache, too: it would be full before. */
function withinCache(settings: PolicySettings, maxCacheBytes: number): PolicySettings {
  if (maxCacheBytes === Infinity) return settings;
  const { coversAll, kind, makesRoom } = new Policy(settings);
  const isAboutRoom = settings.maxBytes !== undefined || settings.minFreeBytes !== undefined;
  if (kind !== "streams" || !coversAll || !makesRoom || !isAboutRoom) return settings;
  return { ...settings, maxBytes: Math.min(settings.maxBytes ?? maxCacheBytes, maxCacheBytes) };
}
