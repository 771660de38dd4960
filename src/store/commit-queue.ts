/**
 * Commits, adoptions, changes and removals share one queue and run a group at a time. Uploads that end while a group
 * waits for the disk share the syncs of the next group, and a removal cannot interleave with a commit of the same object.
 */
import { toWavecacheError, WavecacheError } from "../base/errors.ts";
import { failpoint } from "../base/failpoint.ts";
import { evictObjects, localizeObject } from "./archive/eviction.ts";
import type { JournalEntry } from "./journal/entry.ts";
import type { Journal } from "./journal/journal.ts";
import type {
  AdoptRequest,
  ChangeRequest,
  CommitRequest,
  EvictRequest,
  FinishRequest,
  LocalizeRequest,
  RemoveRequest,
  RemoveStreamsRequest,
  StreamTasksRequest,
} from "./keeper-call-kinds.ts";
import type { Answer, KeeperRequest } from "./keeper-calls.ts";
import type { CacheLayout } from "./layout.ts";
import type { StoreGuard } from "./store-guard.ts";
import type { AbandonedRows } from "./nodes/abandoned.ts";
import { workOffStreams } from "./nodes/stream-tasks.ts";
import { adoptObject } from "./streams/adoption.ts";
import type { Catalog } from "./streams/catalog.ts";
import { changeGroup } from "./streams/changes.ts";
import { type CommitOutcome, commitGroup } from "./streams/commit.ts";
import { Removals } from "./streams/removals.ts";

type Removal = RemoveRequest | RemoveStreamsRequest;

/** What commits change. */
export interface CommitStore {
  layout: CacheLayout;
  catalog: Catalog & { readonly abandoned: AbandonedRows };
  journal: Journal;
}

export interface CommitHost {
  guard: StoreGuard;
  replyAll: (requests: KeeperRequest[], answers: Answer[]) => void;
  /** The journal could not be written: it has to be written anew. */
  journalFailed: (error: unknown) => void;
}

export class CommitQueue {
  readonly #store: CommitStore;
  readonly #host: CommitHost;
  readonly #removals: Removals;
  #waiting: CommitRequest[] = [];
  #group: Promise<void> | undefined;

  constructor(store: CommitStore, host: CommitHost) {
    this.#store = store;
    this.#host = host;
    const { layout, catalog } = store;
    this.#removals = new Removals(layout, catalog, host.guard, (entry) => this.#journalRemoval(entry));
  }

  add(requests: CommitRequest[]): void {
    this.#waiting.push(...requests);
    if (this.#waiting.length > 0) this.#group ??= this.#run();
  }

  /** Resolves when the queue is empty. */
  async idle(): Promise<void> {
    await this.#group;
  }

  /** Runs until the queue is empty. The first await lets the caller set `#group` before the queue is read. */
  async #run(): Promise<void> {
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      await this.#finish(group.filter((request) => request.call === "finish") as FinishRequest[]);
      for (const each of group) if (each.call === "adopt") await this.#adopt(each as AdoptRequest);
      await this.#change(group.filter((request) => request.call === "change") as ChangeRequest[]);
      await this.#remove(group.filter(isRemoval) as Removal[]);
      for (const each of group) await this.#moveCopy(each);
      for (const each of group)
        if (each.call === "streamTasks") await this.#workOff(each as StreamTasksRequest);
    }
    this.#group = undefined;
  }

  async #finish(requests: FinishRequest[]): Promise<void> {
    if (requests.length === 0) return;
    const at = Math.max(...requests.map((request) => request.args.at));
    const items = requests.map((request) => request.args);
    const outcomes = await commitGroup(this.#store, items, at);
    const answers = outcomes.map((outcome, index) => this.#answerOf(requests[index]!, outcome));
    this.#host.replyAll(requests, answers);
    failpoint("commit.6");
  }

  /** The catalog may be lost since the commit, or another node may have removed the stream already. */
  #answerOf({ args }: FinishRequest, outcome: CommitOutcome): Answer {
    if ("error" in outcome) return { error: toWavecacheError(outcome.error) };
    try {
      const row = this.#store.catalog.find(args.streamId);
      if (row === undefined) throw new WavecacheError("STREAM_UNKNOWN");
      return { result: { row, addedBytes: outcome.addedBytes } };
    } catch (error) {
      return { error: toWavecacheError(error) };
    }
  }

  async #adopt(request: AdoptRequest): Promise<void> {
    const { guard, replyAll } = this.#host;
    try {
      guard.checkRoom();
      replyAll([request], [{ result: await adoptObject(this.#store, request.args) }]);
    } catch (error) {
      replyAll([request], [{ error: toWavecacheError(error) }]);
    }
  }

  async #change(requests: ChangeRequest[]): Promise<void> {
    if (requests.length === 0) return;
    const changes = requests.map((request) => request.args);
    const outcomes = await changeGroup(this.#store, changes);
    const answers = outcomes.map((each): Answer => ("row" in each ? { result: each.row } : each));
    this.#host.replyAll(requests, answers);
  }

  async #remove(requests: Removal[]): Promise<void> {
    if (requests.length === 0) return;
    const answers: Answer[] = [];
    for (const { args } of requests) {
      try {
        const removed =
          "streams" in args ? this.#removals.removeAll(args) : this.#removals.remove(args.streamId);
        answers.push({ result: await removed });
      } catch (error) {
        answers.push({ error: toWavecacheError(error) });
      }
    }
    await this.#store.journal.sync().catch((error: unknown) => this.#host.journalFailed(error));
    this.#host.replyAll(requests, answers);
  }

  async #workOff(request: StreamTasksRequest): Promise<void> {
    const { replyAll } = this.#host;
    try {
      replyAll([request], [{ result: await workOffStreams(this.#store, request.args.limit) }]);
    } catch (error) {
      replyAll([request], [{ error: toWavecacheError(error) }]);
    }
  }

  /** Local copies of archived objects go or come. */
  async #moveCopy(request: CommitRequest): Promise<void> {
    if (!isCopyMove(request)) return;
    const { args } = request;
    try {
      const moved = "path" in args ? localizeObject(this.#store, args) : evictObjects(this.#store, args);
      this.#host.replyAll([request], [{ result: await moved }]);
    } catch (error) {
      this.#host.replyAll([request], [{ error: toWavecacheError(error) }]);
    }
  }

  /**
   * After the stream is gone, so that a full disk does not prevent a removal. An entry that cannot be written is no
   * reason to report a failure: the journal is then written anew from the catalog.
   */
  #journalRemoval(entry: JournalEntry): void {
    try {
      this.#store.journal.append([entry]);
    } catch (error) {
      this.#host.journalFailed(error);
    }
  }
}

function isCopyMove(request: CommitRequest): request is EvictRequest | LocalizeRequest {
  return request.call === "evict" || request.call === "localize";
}

function isRemoval({ call }: CommitRequest): boolean {
  return call === "remove" || call === "removeStreams";
}
