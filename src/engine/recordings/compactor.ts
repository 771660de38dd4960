/** Joins the segments of each hour of a session to one recording, hour by hour, once an hour is over. */
import {
  compactDelayMs,
  compactedMs,
  compactIntervalMs,
  joinedFilesMs,
} from "../../base/limits/recordings.ts";
import type { Log } from "../../base/log/log.ts";
import type { KeeperClient } from "../../pool/keeper-client.ts";
import type { RecordingsFolder } from "./archive.ts";

export interface CompactorSettings {
  isOn: boolean;
  /** Otherwise the `.bin` of a joined recording is empty. */
  keepPackets: boolean;
}

export class Compactor {
  readonly #keeper: Pick<KeeperClient, "call">;
  readonly #folder: RecordingsFolder;
  readonly #settings: CompactorSettings;
  readonly #log: Log;
  readonly #now: () => number;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #isClosing = false;
  /** Earlier hours are joined, as far as they can be, in this run of the server. */
  #from = 0;

  /** `now` is the system's clock, in ms since 1970. */
  constructor(
    keeper: Pick<KeeperClient, "call">,
    folder: RecordingsFolder,
    settings: CompactorSettings,
    log: Log,
    now: () => number = Date.now,
  ) {
    this.#keeper = keeper;
    this.#folder = folder;
    this.#settings = settings;
    this.#log = log;
    this.#now = now;
  }

  /** Settles the joins of an earlier run. Call it before the repair, which would enter their files. */
  async settle(): Promise<void> {
    try {
      await this.#keeper.call("settleJoins", { folder: this.#folder.path, before: "all" });
    } catch (error) {
      this.#failed(error);
    }
  }

  open(): void {
    if (this.#settings.isOn) this.#timer = setInterval(() => void this.runOnce(), compactIntervalMs);
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    clearInterval(this.#timer);
    await this.#running;
  }

  /** Single flight. */
  runOnce(): Promise<void> {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(): Promise<void> {
    if (!this.#folder.isThere) return;
    try {
      const before = this.#now() - joinedFilesMs;
      await this.#keeper.call("settleJoins", { folder: this.#folder.path, before });
      for (let isDone = false; !isDone && !this.#isClosing;) isDone = !(await this.#joinNextHour());
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Returns false if there is no hour that is over. */
  async #joinNextHour(): Promise<boolean> {
    const hour = await this.#keeper.call("joinableSessions", { from: this.#from, hourMs: compactedMs });
    if (hour === null) return false;
    const to = hour.from + compactedMs;
    if (to + compactDelayMs > this.#now()) return false;
    for (const session of hour.sessions) {
      if (this.#isClosing) return false;
      await this.#join(session, hour.from, to);
    }
    this.#from = to;
    return true;
  }

  async #join(session: number, from: number, to: number): Promise<void> {
    const { keepPackets } = this.#settings;
    const args = { folder: this.#folder.path, session, from, to, keepPackets, now: this.#now() };
    const { segments, recordings, problems } = await this.#keeper.call("joinRecordings", args);
    if (recordings > 0) this.#log.info("recordings were joined", { segments, recordings });
    for (const reason of problems) this.#log.warn("recordings cannot be joined", { reason });
  }

  #failed(error: unknown): void {
    if (!this.#folder.noteLoss(error)) this.#log.error("recordings could not be joined", { error });
  }
}
