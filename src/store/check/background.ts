/** What the keeper does of its own accord, between calls, and the notices about it. */
import { lostFoundDays } from "../../base/limits/streams.ts";
import { StoreCheck } from "./check.ts";
import { CheckContext, type CheckedStore } from "./context.ts";
import type { StoreNotice } from "./notice.ts";
import { Pace } from "./pace.ts";

/** While the check runs. */
const noticeIntervalMs = 1000;
const expiryIntervalMs = 3_600_000;
const lostFoundMs = lostFoundDays * 24 * 3_600_000;

export class Background {
  readonly #store: CheckedStore;
  readonly #keepOrphans: boolean;
  readonly #notify: (notice: StoreNotice) => void;
  readonly #abort = new AbortController();
  readonly #context: CheckContext;
  readonly #check: StoreCheck;
  readonly #timers: Timer[] = [];
  #running: Promise<void> | undefined;

  constructor(store: CheckedStore, keepOrphans: boolean, notify: (notice: StoreNotice) => void) {
    this.#store = store;
    this.#keepOrphans = keepOrphans;
    this.#notify = notify;
    this.#context = new CheckContext(store, new Pace(this.#abort.signal));
    this.#check = new StoreCheck(this.#context);
  }

  start(): void {
    const notices = setInterval(() => this.notify(), noticeIntervalMs);
    this.#timers.push(notices);
    if (!this.#keepOrphans) this.#timers.push(setInterval(() => void this.#expire(), expiryIntervalMs));
    this.#running = this.#run().finally(() => clearInterval(notices));
  }

  /** Ends whatever runs. The catalog may be closed afterwards. */
  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#abort.abort();
    await this.#running;
  }

  /** Sends what has changed. */
  notify(): void {
    this.#notify({ drift: this.#store.drift.take(), check: this.#check.report() });
  }

  /** Sends what has changed, if the totals have. */
  notifyDrift(): void {
    if (!this.#store.drift.isEmpty) this.notify();
  }

  async #run(): Promise<void> {
    await this.#check.run(this.#abort.signal);
    if (this.#abort.signal.aborted) return;
    if (!this.#keepOrphans) await this.#expire();
    this.notify();
  }

  async #expire(): Promise<void> {
    try {
      await this.#store.lostFound.expire(lostFoundMs);
    } catch (error) {
      this.#context.fail(error);
      this.notify();
    }
  }
}
