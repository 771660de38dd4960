/** What the keeper does of its own accord, between calls, and the notices about it. */
import { lostFoundDays } from "../../base/limits/streams.ts";
import { StoreCheck } from "./check.ts";
import { CheckContext, type CheckedStore } from "./context.ts";
import { rewriteJournal } from "./journal-pass.ts";
import type { StoreNotice } from "./notice.ts";
import { Pace } from "./pace.ts";

/** While the check runs. */
const noticeIntervalMs = 1000;
const choreIntervalMs = 3_600_000;
const lostFoundMs = lostFoundDays * 24 * 3_600_000;

export class Background {
  readonly #store: CheckedStore;
  readonly #keepOrphans: boolean;
  readonly #notify: (notice: StoreNotice) => void;
  readonly #abort = new AbortController();
  readonly #context: CheckContext;
  readonly #check: StoreCheck;
  readonly #timers: Timer[] = [];
  #running: Promise<void> = Promise.resolve();

  /** `isLost` says that the store must not be touched any more. */
  constructor(
    store: CheckedStore,
    keepOrphans: boolean,
    notify: (notice: StoreNotice) => void,
    isLost: () => boolean,
  ) {
    this.#store = store;
    this.#keepOrphans = keepOrphans;
    this.#notify = notify;
    const stopIfLost = () => {
      if (isLost()) void this.stop();
    };
    this.#context = new CheckContext(store, new Pace(this.#abort.signal, stopIfLost));
    this.#check = new StoreCheck(this.#context);
  }

  start(): void {
    const notices = setInterval(() => this.notify(), noticeIntervalMs);
    this.#timers.push(notices);
    this.#running = this.#check.run(this.#abort.signal).then(() => clearInterval(notices));
    this.#doChores();
    this.#timers.push(setInterval(() => this.#doChores(), choreIntervalMs));
  }

  /** Ends whatever runs. The catalog may be closed afterwards. */
  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#abort.abort();
    await this.#running;
  }

  /** Reports an error of work that no caller waits for. */
  fail(error: unknown): void {
    this.#context.fail(error);
    this.notify();
  }

  /** Sends what has changed. */
  notify(): void {
    this.#notify({ drift: this.#store.drift.take(), check: this.#check.report() });
  }

  /** Sends what has changed, if the totals have. */
  notifyDrift(): void {
    if (!this.#store.drift.isEmpty) this.notify();
  }

  /** What has to be done now and then. Whatever runs in the background runs one after the other. */
  #doChores(): void {
    this.#running = this.#running.then(async () => {
      if (this.#check.isDone)
        await this.#try(() => rewriteJournal(this.#store, () => this.#context.pace.rest()));
      if (!this.#keepOrphans) await this.#try(() => this.#store.lostFound.expire(lostFoundMs));
      if (!this.#abort.signal.aborted) this.notify();
    });
  }

  async #try(chore: () => Promise<unknown>): Promise<void> {
    if (this.#abort.signal.aborted) return;
    try {
      await chore();
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#context.fail(error);
    }
  }
}
