/** Follows the background check of the store: counts what it changes, logs its progress, keeps its figures. */
import { lostFoundDays } from "../../base/limits/streams.ts";
import type { Log } from "../../base/log/log.ts";
import { commandPrefix } from "../../base/program.ts";
import { type CheckFigures, noFigures, type StoreNotice } from "../../store/check/notice.ts";
import type { Admission } from "./admission.ts";
import type { StreamCounts } from "./counts.ts";

const progressIntervalMs = 10_000;

export interface StoreWatchSettings {
  /** Where the check sets files aside. */
  lostFound: string;
  keepOrphans: boolean;
}

export class StoreWatch {
  readonly #settings: StoreWatchSettings;
  readonly #counts: StreamCounts;
  readonly #admission: Admission;
  readonly #log: Log;
  #figures = noFigures();
  #isRunning = true;
  #loggedAtMs = performance.now();

  constructor(settings: StoreWatchSettings, counts: StreamCounts, admission: Admission, log: Log) {
    this.#settings = settings;
    this.#counts = counts;
    this.#admission = admission;
    this.#log = log;
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  get figures(): CheckFigures {
    return this.#figures;
  }

  receive({ drift, check }: StoreNotice): void {
    this.#counts.drifted(drift);
    this.#admission.objectBytes += drift.objectBytes;
    this.#admission.unfinishedBytes += drift.unfinishedBytes;
    this.#figures = check.figures;
    for (const streamId of check.damaged)
      this.#log.error("the audio of a finished stream is missing or truncated", { streamId });
    for (const failure of check.failures) this.#log.error("the check of the store failed", { failure });
    if (check.state === "running") this.#logProgress();
    else if (this.#isRunning) this.#finish(check.state);
    this.#isRunning = check.state === "running";
  }

  #logProgress(): void {
    if (performance.now() - this.#loggedAtMs < progressIntervalMs) return;
    this.#loggedAtMs = performance.now();
    this.#log.info("the store is being checked", { ...this.#figures });
  }

  #finish(state: "done" | "failed"): void {
    if (state === "done") this.#log.info("the store has been checked", { ...this.#figures });
    const { enteredStreams, forgottenStreams, orphanFiles: files, orphanBytes: bytes } = this.#figures;
    if (enteredStreams + forgottenStreams > 0)
      this.#log.warn("the catalog was older than its journal", { enteredStreams, forgottenStreams });
    if (files === 0) return;
    const { lostFound: folder, keepOrphans } = this.#settings;
    this.#log.warn("files that belong to no known stream were set aside", {
      files,
      bytes,
      folder,
      ...(keepOrphans ? {} : { keptDays: lostFoundDays }),
      hint: `${commandPrefix} server doctor --rebuild-catalog brings audio back, under its SHA-256 if its id is lost`,
    });
  }
}
