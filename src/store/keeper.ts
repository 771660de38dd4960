/**
 * The keeper owns the catalog and makes finished streams durable. It handles three kinds of call:
 *
 *   - quick calls only touch the catalog: all that arrive together run at once, in one transaction;
 *   - commits and removals share one queue and run a group at a time. Uploads that end while a group waits for the
 *     disk share the syncs of the next group, and a removal cannot interleave with a commit of the same object;
 *   - slow calls wait for the disk but touch nothing that the others do, so they run concurrently.
 */
import { thisBoot } from "../base/boot.ts";
import { toWavecacheError, WavecacheError } from "../base/errors.ts";
import { failpoint } from "../base/failpoint.ts";
import { Background } from "./check/background.ts";
import { Drift } from "./check/drift.ts";
import { LostFound } from "./check/lost-found.ts";
import type { StoreNotice } from "./check/notice.ts";
import type { Catalog } from "./streams/catalog.ts";
import { checkpointGroup } from "./streams/checkpoint.ts";
import { commitGroup } from "./streams/commit.ts";
import type { DeviceCatalog } from "./devices/catalog.ts";
import type { KeeperArgs, KeeperCall, KeeperRequest, KeeperResult, OpenArgs } from "./keeper-calls.ts";
import type { JournalEntry } from "./journal/entry.ts";
import { Journal } from "./journal/journal.ts";
import { CacheLayout, removeFile, sizeOfFile, syncFile } from "./layout.ts";
import { removeObject } from "./streams/objects.ts";
import { isCatalogLost, recover } from "./streams/recover.ts";
import { RecordingKeeper } from "./recordings/keeper.ts";
import type { SyncFileSystem } from "./sync-file-system.ts";
import { SqliteCatalog } from "./streams/sqlite.ts";
import { UnfinishedStreams } from "./streams/unfinished.ts";

export type Answer = { result: unknown } | { error: WavecacheError };
type Reply = (serial: number, answer: Answer) => void;
type FinishRequest = KeeperRequest<"finish">;
type RemoveRequest = KeeperRequest<"remove">;
/** Waits for the disk, and touches nothing that commits and removals touch. */
type SlowCall = "flush" | "checkpoint" | "syncRecordings" | "repairRecordings";

/** What the keeper's thread gives it. */
export interface KeeperHost {
  syncFileSystem: SyncFileSystem;
  /** Receives each answer with the serial of its request. */
  reply: Reply;
  notify: (notice: StoreNotice) => void;
}

export class Keeper {
  readonly #layout: CacheLayout;
  readonly #catalog: Catalog;
  readonly #unfinished: UnfinishedStreams;
  readonly #recordings: RecordingKeeper;
  readonly #devices: DeviceCatalog;
  readonly #journal: Journal;
  readonly #background: Background;
  readonly #syncFileSystem: SyncFileSystem;
  readonly #reply: Reply;
  readonly #quickCalls: { [C in QuickCall]: (args: KeeperArgs<C>) => KeeperResult<C> } = {
    reserve: (args) => this.#unfinished.reserve(args),
    resume: (args) => this.#unfinished.resume(args),
    leave: (args) => this.#unfinished.leave(args),
    find: (args) => this.#unfinished.find(args),
    lookUp: (args) => this.#unfinished.lookUp(args),
    list: (args) => this.#unfinished.list(args),
    idle: (args) => this.#unfinished.idle(args),
    expire: (args) => this.#unfinished.expire(args),
    totals: () => this.#totals(),
    listRecordings: (args) => this.#recordings.list(args),
    listDevices: () => this.#devices.all(),
    saveDevices: (args) => this.#saveDevices(args),
  };
  readonly #slowCalls: { [C in SlowCall]: (args: KeeperArgs<C>) => Promise<KeeperResult<C>> } = {
    flush: (args) => this.#flush(args),
    checkpoint: (args) => this.#checkpoint(args),
    syncRecordings: (args) => this.#recordings.sync(args),
    repairRecordings: (args) => this.#recordings.repair(args),
  };
  #waiting: (FinishRequest | RemoveRequest)[] = [];
  #group: Promise<void> | undefined;

  /** Opens the catalog. Call `open` next. */
  constructor({ cacheDir, keyPrefix, keepOrphans }: OpenArgs, { syncFileSystem, reply, notify }: KeeperHost) {
    this.#layout = new CacheLayout(cacheDir);
    this.#layout.create();
    // Before a new catalog is created, which would hide the loss from the next start.
    if (isCatalogLost(this.#layout)) throw new WavecacheError("CATALOG_LOST", this.#layout.catalog);
    const catalog = new SqliteCatalog(this.#layout.catalog);
    const drift = new Drift(catalog);
    const lostFound = new LostFound(this.#layout, catalog);
    this.#journal = new Journal(this.#layout.journal);
    const store = { layout: this.#layout, catalog, journal: this.#journal, drift, lostFound, keyPrefix };
    this.#catalog = catalog;
    this.#unfinished = new UnfinishedStreams(this.#layout, catalog, drift);
    this.#recordings = new RecordingKeeper(catalog, syncFileSystem);
    this.#devices = catalog.devices;
    this.#background = new Background(store, keepOrphans, notify);
    this.#syncFileSystem = syncFileSystem;
    this.#reply = reply;
  }

  /** Recovers from the end of the run before, and starts the background check. */
  open(at: number): KeeperResult<"open"> {
    const recovery = recover(this.#layout, this.#catalog, thisBoot(), at);
    const totals = this.#catalog.totals();
    this.#background.start();
    return { recovery, totals };
  }

  /** Handles requests that arrived together, in their order. */
  handle(requests: KeeperRequest[]): void {
    const quick = requests.filter((request) => !isCommit(request) && !isSlow(request));
    for (const request of requests.filter(isSlow)) void this.#answerLater(request);
    this.#waiting.push(...requests.filter(isCommit));
    if (quick.length > 0) this.#answerTogether(quick);
    if (this.#waiting.length > 0) this.#group ??= this.#commitWaiting();
  }

  /** Waits for commits in progress and closes the catalog. */
  async close(): Promise<void> {
    await Promise.all([this.#group, this.#background.stop()]);
    await this.#journal.close();
    this.#catalog.close();
  }

  #answerTogether(requests: KeeperRequest[]): void {
    const answers: Answer[] = [];
    try {
      this.#catalog.transaction(() => {
        for (const request of requests) answers.push(this.#tryAnswer(request));
      }, false);
    } catch (error) {
      answers.splice(0, answers.length, ...requests.map(() => ({ error: toWavecacheError(error) })));
    }
    requests.forEach((request, index) => this.#reply(request.serial, answers[index]!));
    this.#background.notifyDrift();
  }

  #tryAnswer(request: KeeperRequest): Answer {
    try {
      return { result: this.#answer(request.call, request.args) };
    } catch (error) {
      return { error: toWavecacheError(error) };
    }
  }

  #answer<C extends KeeperCall>(call: C, args: KeeperArgs<C>): unknown {
    const run = this.#quickCalls[call as QuickCall] as (args: KeeperArgs<C>) => unknown;
    return run(args);
  }

  /** The totals contain every drift so far: whoever takes them must have counted it before. */
  #totals(): KeeperResult<"totals"> {
    this.#background.notifyDrift();
    return this.#catalog.totals();
  }

  #saveDevices({ devices, forgotten }: KeeperArgs<"saveDevices">): null {
    for (const device of devices) this.#devices.enter(device);
    for (const deviceId of forgotten) this.#devices.remove(deviceId);
    return null;
  }

  /** Runs until the queue is empty. The first await lets the caller set `#group` before the queue is read. */
  async #commitWaiting(): Promise<void> {
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      await this.#finishGroup(group.filter((request) => request.call === "finish") as FinishRequest[]);
      await this.#removeGroup(group.filter((request) => request.call === "remove") as RemoveRequest[]);
    }
    this.#group = undefined;
  }

  async #finishGroup(requests: FinishRequest[]): Promise<void> {
    if (requests.length === 0) return;
    const at = Math.max(...requests.map((request) => request.args.at));
    const items = requests.map((request) => request.args);
    const store = { layout: this.#layout, catalog: this.#catalog, journal: this.#journal };
    const outcomes = await commitGroup(store, items, at);
    requests.forEach((request, index) => {
      const outcome = outcomes[index]!;
      this.#reply(
        request.serial,
        "error" in outcome
          ? { error: toWavecacheError(outcome.error) }
          : { result: { row: this.#catalog.find(request.args.streamId)!, addedBytes: outcome.addedBytes } },
      );
    });
    failpoint("commit.6");
  }

  /** Runs concurrently with everything else. */
  async #answerLater<C extends SlowCall>({ serial, call, args }: KeeperRequest<C>): Promise<void> {
    try {
      this.#reply(serial, { result: await this.#slowCalls[call](args) });
    } catch (error) {
      this.#reply(serial, { error: toWavecacheError(error) });
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

  async #removeGroup(requests: RemoveRequest[]): Promise<void> {
    const removed: JournalEntry[] = [];
    const answers = requests.map(({ args }): Answer => {
      try {
        return { result: this.#remove(args.streamId, removed) };
      } catch (error) {
        return { error: toWavecacheError(error) };
      }
    });
    await this.#journalRemovals(removed);
    requests.forEach(({ serial }, index) => this.#reply(serial, answers[index]!));
  }

  /**
   * After the streams are gone, so that a full disk does not prevent a removal. An entry that cannot be written is no
   * reason to report a failure: the journal is then written anew from the catalog.
   */
  async #journalRemovals(removed: JournalEntry[]): Promise<void> {
    try {
      this.#journal.append(removed);
      if (removed.length > 0) await this.#journal.sync();
    } catch (error) {
      this.#background.fail(error);
    }
  }

  /** Removes the row first, durably: a crash before the unlink leaves an object, and the journal brings its row back. */
  #remove(streamId: string, removed: JournalEntry[]): KeeperResult<"remove"> {
    const row = this.#catalog.find(streamId);
    if (row === undefined) throw new WavecacheError("STREAM_UNKNOWN");
    this.#catalog.transaction(() => this.#catalog.remove(streamId), true);
    if (row.state !== "finished") {
      removeFile(this.#layout.incomingPath(row.key));
      return { finished: false, objectBytes: 0, unfinishedBytes: row.size };
    }
    removed.push({ remove: { streamId, key: row.key } });
    const shared = this.#catalog.hasObject(row.sha256!, streamId);
    if (!shared) removeObject(this.#layout, row.sha256!);
    return { finished: true, objectBytes: shared ? 0 : row.size, unfinishedBytes: 0 };
  }
}

type QuickCall = Exclude<KeeperCall, "open" | "close" | "finish" | "remove" | SlowCall>;

const slowCalls: ReadonlySet<KeeperCall> = new Set<SlowCall>([
  "flush",
  "checkpoint",
  "syncRecordings",
  "repairRecordings",
]);

function isSlow(request: KeeperRequest): request is KeeperRequest<SlowCall> {
  return slowCalls.has(request.call);
}

function isCommit(request: KeeperRequest): request is FinishRequest | RemoveRequest {
  return request.call === "finish" || request.call === "remove";
}
