/**
 * The keeper owns the catalog and makes finished streams durable. It handles three kinds of call:
 *
 *   - quick calls only touch the catalog: all that arrive together run at once, in one transaction;
 *   - commits, adoptions, changes and removals share one queue (commit-queue.ts);
 *   - slow calls wait for the disk but touch nothing that the others do, so they run concurrently.
 */
import { thisBoot } from "../base/system/boot.ts";
import { toWavecacheError, WavecacheError } from "../base/errors.ts";
import { correctClock } from "../base/system/shared-clock.ts";
import { Background } from "./check/background.ts";
import { Drift } from "./check/drift.ts";
import { LostFound } from "./check/lost-found.ts";
import type { StoreNotice } from "./check/notice.ts";
import type { QuickArchiveCall } from "./archive/calls.ts";
import { ArchiveKeeper } from "./archive/keeper.ts";
import { streamsOfObject } from "./streams/adoption.ts";
import type { Catalog } from "./streams/catalog.ts";
import { checkpointGroup } from "./streams/checkpoint.ts";
import type { DeviceCatalog } from "./devices/catalog.ts";
import { saveToken } from "./tokens/save.ts";
import type { TokenCatalog } from "./tokens/catalog.ts";
import type {
  Answer,
  KeeperArgs,
  KeeperCall,
  KeeperChange,
  KeeperRequest,
  KeeperResult,
  OpenArgs,
} from "./keeper-calls.ts";
import {
  isCommit,
  isSlow,
  needsRecovery,
  changesWhatOthersLookFor,
  type QuickCall,
  type SlowCall,
  writes,
} from "./keeper-call-kinds.ts";
import { noteDamage } from "./events/facts.ts";
import { AbandonedKeeper } from "./nodes/keeper.ts";
import { OutboxKeeper } from "./events/keeper.ts";
import { Journal } from "./journal/journal.ts";
import { CommitQueue } from "./commit-queue.ts";
import { CacheLayout, sizeOfFile, syncFile } from "./layout.ts";
import { recover } from "./streams/recover.ts";
import { readScrubState, saveScrubState } from "./streams/scrub-state.ts";
import { sweepSums } from "./streams/sums/files.ts";
import { type KeptCatalog, openCatalog, requireStore } from "./kept-catalog.ts";
import { RecordingKeeper } from "./recordings/keeper.ts";
import { RetentionKeeper } from "./retention/keeper.ts";
import { SessionKeeper } from "./sessions/keeper.ts";
import { CatalogWatch } from "./shared-catalog.ts";
import { type StoreCondition, StoreGuard } from "./store-guard.ts";
import type { SyncFileSystem } from "./sync-file-system.ts";
import { UnfinishedStreams } from "./streams/unfinished.ts";

type Reply = (serial: number, answer: Answer) => void;
/** What the keeper's thread gives it. */
export interface KeeperHost {
  syncFileSystem: SyncFileSystem;
  /** Receives each answer with the serial of its request. */
  reply: Reply;
  notify: (notice: StoreNotice) => void;
  report: (condition: StoreCondition) => void;
  /** Events were committed, up to the one with this id. */
  announce: (newestEvent: number) => void;
  /** Tokens have changed or sessions have ended at any node; others have left tasks; this one has changed what others look for. */
  changed: (what: KeeperChange["changed"]) => void;
  /** The clock of this machine is so much ahead of that of the catalog. */
  clockDiffers: (aheadMs: number) => void;
  /** The catalog cannot be used any more: `abandon` this keeper, and open another one. */
  failed: (error: WavecacheError) => void;
}

export class Keeper {
  readonly #layout: CacheLayout;
  readonly #guard: StoreGuard;
  readonly #kept: KeptCatalog;
  readonly #catalog: Catalog;
  readonly #unfinished: UnfinishedStreams;
  readonly #recordings: RecordingKeeper;
  readonly #devices: DeviceCatalog;
  readonly #events: OutboxKeeper;
  readonly #tokens: TokenCatalog;
  readonly #sessions: SessionKeeper;
  readonly #retention: RetentionKeeper;
  readonly #archive: ArchiveKeeper;
  readonly #abandoned: AbandonedKeeper;
  readonly #journal: Journal;
  readonly #background: Background;
  readonly #syncFileSystem: SyncFileSystem;
  readonly #reply: Reply;
  readonly #host: KeeperHost;
  #watch: CatalogWatch | undefined;
  #isRecovered = false;
  #fault: WavecacheError | undefined;
  readonly #quickCalls: {
    [C in Exclude<QuickCall, QuickArchiveCall>]: (args: KeeperArgs<C>) => KeeperResult<C>;
  } = {
    reserve: (args) => this.#reserve(args),
    resume: (args) => this.#resume(args),
    declareSize: (args) => this.#unfinished.declareSize(args),
    leave: (args) => this.#unfinished.leave(args),
    streamsOf: (args) => streamsOfObject(this.#layout, this.#catalog, args),
    storedBytes: ({ account, exceptStreamIds }) =>
      this.#catalog.accounts.storedBytes(account, exceptStreamIds),
    find: (args) => this.#unfinished.find(args),
    lookUp: (args) => this.#unfinished.lookUp(args),
    list: (args) => this.#unfinished.list(args),
    undescribed: ({ limit }) => this.#catalog.undescribed(limit),
    search: (args) => this.#unfinished.search(args),
    idle: (args) => this.#unfinished.idle(args),
    expire: (args) => this.#unfinished.expire(args),
    totals: () => this.#totals(),
    markDamaged: (args) => this.#markDamaged(args),
    countDamaged: () => this.#catalog.countDamaged(),
    nextObjects: ({ after, limit }) => this.#catalog.nextObjects(after, limit),
    scrubState: () => readScrubState(this.#catalog),
    saveScrubState: (state) => saveScrubState(this.#catalog, state),
    recordingsAfter: ({ id, limit }) => this.#recordings.after(id, limit),
    startSegment: (args) => this.#recordings.start(args),
    recordedSources: (args) => this.#recordings.sources(args),
    timeline: (args) => this.#recordings.timeline(args),
    saveSoundSpans: ({ spans }) => this.#recordings.saveSounds(spans),
    endSoundSpans: () => this.#recordings.endSounds(),
    listSoundSpans: (args) => this.#recordings.listSounds(args),
    joinableSessions: (args) => this.#recordings.joinable(args),
    listDevices: () => this.#devices.all(),
    listTokens: () => this.#tokens.all(),
    saveToken: (token) => saveToken(this.#tokens, token),
    revokeToken: ({ id, at }) => this.#tokens.revoke(id, at),
    useTokens: ({ uses }) => (this.#tokens.use(uses), null),
    openSession: (session) => this.#sessions.open(session),
    findSession: ({ sha256 }) => this.#sessions.find(sha256),
    presentSessions: ({ sha256s }) => this.#sessions.present(sha256s),
    listSessions: ({ at }) => this.#sessions.list(at),
    saveDevices: (args) => this.#saveDevices(args),
    appendEvents: (args) => this.#events.append(args),
    eventsAfter: (args) => this.#events.after(args),
    eventBeforeNewest: (args) => this.#events.beforeNewest(args),
    pruneEvents: (args) => this.#events.prune(args),
    retentionCandidates: (args) => this.#retention.candidates(args),
    measureRetained: (args) => this.#retention.measure(args),
    retentionUsage: () => this.#retention.usage(),
    sampleUsage: (args) => this.#retention.sample(args),
    noteReads: (args) => this.#retention.noteReads(args),
    pinStream: (args) => this.#retention.pinStream(args),
    pinRecording: (args) => this.#retention.pinRecording(args),
    pinRange: (args) => this.#retention.pinRange(args),
    pinnedRanges: () => this.#retention.pinnedRanges(),
    claimConsumers: (args) => this.#events.claimConsumers(args),
    releaseConsumer: (args) => this.#events.releaseConsumer(args),
    waitingDeliveries: (args) => this.#events.waitingDeliveries(args),
    saveDeliveries: (args) => this.#events.saveDeliveries(args),
    reviveDeliveries: (args) => this.#events.reviveDeliveries(args),
    keepConsumers: (args) => this.#events.keepConsumers(args),
    deadDeliveries: (args) => this.#events.deadDeliveries(args),
    abandoned: (args) => this.#abandoned.candidates(args),
    lookForNews: () => (this.#watch?.look(), null),
  };
  readonly #slowCalls: { [C in SlowCall]: (args: KeeperArgs<C>) => Promise<KeeperResult<C>> } = {
    flush: (args) => this.#flush(args),
    checkpoint: (args) => this.#checkpoint(args),
    sweepSums: ({ folder }) =>
      sweepSums(this.#layout, folder, (sha256) => this.#catalog.archive.findAnywhere(sha256) !== undefined),
    syncRecordings: (args) => this.#recordings.sync(args),
    repairRecordings: (args) => this.#recordings.repair(args),
    listRecordings: (args) => this.#recordings.list(args),
    findRecording: (args) => this.#recordings.find(args),
    readPeriod: (args) => this.#recordings.period(args),
    removeRecordings: async (args) => this.#recordings.remove(args),
    lookAtRecordings: (args) => this.#recordings.look(args),
    peaksOfRange: (args) => this.#recordings.peaks(args),
    levelsOfRange: (args) => this.#recordings.levels(args),
    joinRecordings: (args) => this.#recordings.join(args),
    settleJoins: async (args) => this.#recordings.settleJoins(args),
    expireRecordings: async (args) => this.#recordings.expire(args),
    recordingTasks: async (args) => this.#recordings.workOff(args),
    expireAbandoned: async (args) => this.#abandoned.expire(args),
    expireAbandonedUploads: async (args) => this.#abandoned.expireUploads(args),
    evictRecordings: (args) => this.#recordings.evict(args),
    useSessions: async (args) => this.#sessions.use(args),
    endSession: async (args) => this.#sessions.end(args),
    sharedKey: async (args) => this.#sessions.sharedKey(args),
  };
  readonly #commits: CommitQueue;

  /** Opens the catalog. Call `open` next. */
  constructor(args: OpenArgs, host: KeeperHost) {
    const { cacheDir, keyPrefix, keepOrphans } = args;
    const { syncFileSystem, reply, notify, report, announce, failed } = host;
    this.#layout = new CacheLayout(cacheDir);
    this.#guard = new StoreGuard(this.#layout, report);
    if (args.isReopened) requireStore(this.#layout, args.catalog);
    this.#kept = this.#guard.withBallast(() =>
      openCatalog(this.#layout, args.catalog, (error) => this.#fail(error, failed)),
    );
    const { catalog } = this.#kept;
    const drift = new Drift(catalog);
    const lostFound = new LostFound(this.#layout, catalog);
    this.#journal = new Journal(this.#layout.journal);
    const store = { layout: this.#layout, catalog, journal: this.#journal, drift, lostFound, keyPrefix };
    this.#catalog = catalog;
    this.#unfinished = new UnfinishedStreams(this.#layout, catalog, drift);
    this.#recordings = new RecordingKeeper(catalog, syncFileSystem);
    this.#devices = catalog.devices;
    this.#events = new OutboxKeeper(catalog, (newest) => {
      announce(newest);
      this.#noteShared();
    });
    this.#abandoned = new AbandonedKeeper(catalog);
    this.#tokens = catalog.tokens;
    this.#sessions = new SessionKeeper(catalog);
    this.#retention = new RetentionKeeper(catalog);
    this.#archive = new ArchiveKeeper(store);
    this.#background = new Background(store, keepOrphans, notify, () => this.#guard.lost !== undefined);
    this.#commits = new CommitQueue(store, {
      guard: this.#guard,
      replyAll: (requests, answers) => this.#replyAll(requests, answers),
      journalFailed: (error) => this.#background.fail(error),
    });
    this.#syncFileSystem = syncFileSystem;
    this.#reply = reply;
    this.#host = host;
  }

  /** Recovers from the end of the run before, and starts the background check. */
  open({ at, isReopened, afterFault, archive }: OpenArgs): KeeperResult<"open"> {
    useArchive(this.#catalog, archive);
    const recovery = this.#recover(at);
    if (afterFault) this.#catalog.transaction(() => this.#catalog.distrustAll(), true);
    if (isReopened) this.#guard.clear();
    const totals = this.#catalog.totals();
    const { shared } = this.#kept;
    const { announce: eventsAppended, changed, clockDiffers } = this.#host;
    const listener = {
      eventsAppended,
      tokensChanged: () => changed("tokens"),
      sessionsEnded: () => changed("sessions"),
      tasksWaiting: () => changed("tasks"),
      clockDiffers: (aheadMs: number) => {
        correctClock(aheadMs);
        clockDiffers(aheadMs);
      },
    };
    this.#watch = shared && new CatalogWatch(shared, listener);
    // Others may have changed them while this node could not look.
    if (shared !== undefined && isReopened) {
      listener.tokensChanged();
      listener.sessionsEnded();
    }
    this.#guard.start(this.#kept.mark, () => this.#recoverIfDue());
    return { recovery, totals, node: this.#kept.node ?? null };
  }

  /** A full disk does not prevent the start: reads need no recovery. It happens once there is room. */
  #recover(at: number): KeeperResult<"open">["recovery"] {
    try {
      const recovery = this.#guard.withBallast(() => recover(this.#layout, this.#catalog, thisBoot(), at));
      this.#isRecovered = true;
      this.#background.start();
      return recovery;
    } catch (error) {
      if (toWavecacheError(error).code !== "DISK_FULL") throw error;
      return { completed: 0, removed: 0 };
    }
  }

  #recoverIfDue(): void {
    if (!this.#isRecovered) this.#recover(Date.now());
  }

  /** Handles requests that arrived together, in their order. */
  handle(all: KeeperRequest[]): void {
    const requests = this.#refuseWrites(all);
    const quick = requests.filter((request) => !isCommit(request) && !isSlow(request));
    for (const request of requests.filter(isSlow)) void this.#answerLater(request);
    if (quick.length > 0) this.#answerTogether(quick);
    this.#commits.add(requests.filter(isCommit));
  }

  /** Waits for commits in progress and closes the catalog. */
  async close(): Promise<void> {
    if (this.#fault !== undefined) return await this.abandon();
    await Promise.all([this.#commits.idle(), this.#background.stop()]);
    this.#guard.stop();
    this.#watch?.close();
    this.#events.close();
    await this.#journal.close();
    this.#catalog.close();
  }

  /** Closes after a fault of the catalog, and saves what it had committed. Throws if that is impossible for now. */
  async abandon(): Promise<void> {
    await Promise.all([this.#commits.idle(), this.#background.stop()]);
    this.#guard.stop();
    this.#watch?.close();
    this.#events.close();
    await this.#journal.close();
    this.#kept.abandon();
  }

  #fail(error: WavecacheError, failed: (error: WavecacheError) => void): void {
    if (this.#fault !== undefined) return;
    this.#fault = error;
    this.#guard.fail(error);
    failed(error);
  }

  /** A lost store is not written any more, and one that waits for its recovery only by removals. */
  #refuseWrites(requests: KeeperRequest[]): KeeperRequest[] {
    if (!this.#isRecovered) this.#guard.look();
    const { lost } = this.#guard;
    if (lost !== undefined) return this.#refuse(requests, writes, lost);
    if (this.#fault !== undefined) return this.#refuse(requests, () => true, this.#fault);
    if (this.#isRecovered) return requests;
    return this.#refuse(requests, needsRecovery, new WavecacheError("DISK_FULL"));
  }

  /** Answers the requests that `isRefused` chooses, and returns the others. */
  #refuse(
    requests: KeeperRequest[],
    isRefused: (request: KeeperRequest) => boolean,
    error: WavecacheError,
  ): KeeperRequest[] {
    for (const { serial } of requests.filter(isRefused)) this.#reply(serial, { error });
    return requests.filter((request) => !isRefused(request));
  }

  /** Replies, unless the store was lost meanwhile: what was written then is not where a path leads. */
  #replyAll(requests: KeeperRequest[], answers: Answer[]): void {
    const lost = requests.some(writes) ? this.#guard.lost : undefined;
    requests.forEach((request, index) => {
      const isLost = lost !== undefined && writes(request);
      this.#reply(request.serial, isLost ? { error: lost } : answers[index]!);
    });
    if (requests.some(changesWhatOthersLookFor)) this.#noteShared();
  }

  #answerTogether(requests: KeeperRequest[]): void {
    let answers: Answer[];
    try {
      answers = this.#guard.withBallast(() => this.#answerInTransaction(requests));
    } catch (error) {
      answers = requests.map(() => ({ error: toWavecacheError(error) }));
    }
    this.#replyAll(requests, answers);
    this.#background.notifyDrift();
  }

  #answerInTransaction(requests: KeeperRequest[]): Answer[] {
    return this.#catalog.transaction(() => requests.map((request) => this.#tryAnswer(request)), false);
  }

  #tryAnswer(request: KeeperRequest): Answer {
    try {
      return { result: this.#answer(request.call, request.args) };
    } catch (error) {
      return { error: toWavecacheError(error) };
    }
  }

  #answer<C extends KeeperCall>(call: C, args: KeeperArgs<C>): unknown {
    const calls = call in this.#quickCalls ? this.#quickCalls : this.#archive.calls;
    const run = calls[call as keyof typeof calls] as (args: KeeperArgs<C>) => unknown;
    return run(args);
  }

  #reserve(args: KeeperArgs<"reserve">): null {
    this.#guard.checkRoom();
    return this.#unfinished.reserve(args);
  }

  /** A finished stream only gets its receipt again, which needs no room. */
  #resume(args: KeeperArgs<"resume">): KeeperResult<"resume"> {
    if (this.#catalog.find(args.streamId)?.state !== "finished") this.#guard.checkRoom();
    return this.#unfinished.resume(args);
  }

  /** The totals contain every drift so far: whoever takes them must have counted it before. */
  #totals(): KeeperResult<"totals"> {
    this.#background.notifyDrift();
    return this.#catalog.totals();
  }

  #markDamaged({ sha256, isDamaged }: KeeperArgs<"markDamaged">): KeeperResult<"markDamaged"> {
    if (!isDamaged) return { streamIds: this.#catalog.markDamaged(sha256, false), isEvicted: false };
    const isEvicted = this.#archive.replaces(sha256);
    return { streamIds: isEvicted ? [] : noteDamage(this.#catalog, sha256), isEvicted };
  }

  #saveDevices({ devices, forgotten }: KeeperArgs<"saveDevices">): null {
    for (const device of devices) this.#devices.enter(device);
    for (const deviceId of forgotten) this.#devices.remove(deviceId);
    return null;
  }

  /** Others look at the catalog now and then anyway. */
  #noteShared(): void {
    if (this.#watch !== undefined) this.#host.changed("shared");
  }

  /** Runs concurrently with everything else. */
  async #answerLater<C extends SlowCall>(request: KeeperRequest<C>): Promise<void> {
    try {
      this.#replyAll([request], [{ result: await this.#slowCalls[request.call](request.args) }]);
    } catch (error) {
      this.#replyAll([request], [{ error: toWavecacheError(error) }]);
    }
  }

  async #flush({ streamId, key }: KeeperArgs<"flush">): Promise<null> {
    const path = this.#layout.incomingPath(key);
    const size = sizeOfFile(path) ?? 0;
    try {
      await syncFile(path);
    } catch (error) {
      this.#catalog.transaction(() => this.#catalog.distrust(streamId, key), true);
      throw error;
    }
    this.#catalog.transaction(() => this.#catalog.markDurable(streamId, key, size), true);
    return null;
  }

  #checkpoint({ items, at }: KeeperArgs<"checkpoint">): Promise<KeeperResult<"checkpoint">> {
    return checkpointGroup(this.#layout, this.#catalog, this.#syncFileSystem, items, at);
  }
}

/** Throws ARCHIVE_CHANGED. */
function useArchive(catalog: Catalog, archive: string | undefined): void {
  if (!catalog.transaction(() => catalog.archive.use(archive), false))
    throw new WavecacheError("ARCHIVE_CHANGED");
}
