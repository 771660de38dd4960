/** What the passes of the background check share. */
import { toWavecacheError } from "../../base/errors.ts";
import { maxCheckReports } from "../../base/limits/streams.ts";
import type { Journal } from "../journal/journal.ts";
import { JournalIndex } from "../journal/journal-index.ts";
import type { CacheLayout } from "../layout.ts";
import type { Catalog } from "../streams/catalog.ts";
import type { Drift } from "./drift.ts";
import type { LostFound, Origin } from "./lost-found.ts";
import { noFigures } from "./notice.ts";
import type { Pace } from "./pace.ts";

/** Rows or names of one step of the check. */
export const stepItems = 100;

export interface CheckedStore {
  layout: CacheLayout;
  catalog: Catalog;
  journal: Journal;
  drift: Drift;
  lostFound: LostFound;
  /** Uploads that have started since the store was opened have keys that begin with this. */
  keyPrefix: string;
}

/** What the passes of one check share. */
export class CheckContext {
  readonly store: CheckedStore;
  readonly pace: Pace;
  readonly figures = noFigures();
  /** Since the last report: streams found damaged, and errors of the check itself. */
  readonly damaged: string[] = [];
  readonly failures: string[] = [];
  #index: Promise<JournalIndex> | undefined;

  constructor(store: CheckedStore, pace: Pace) {
    this.store = store;
    this.pace = pace;
  }

  /** What the journal says about streams: read at the first use, since files and catalog usually agree. */
  index(): Promise<JournalIndex> {
    this.#index ??= JournalIndex.load(this.store.layout.journal, () => this.pace.rest());
    return this.#index;
  }

  async closeIndex(): Promise<void> {
    const index = await this.#index?.catch((error: unknown) => this.fail(error));
    this.#index = undefined;
    index?.close();
  }

  /** Sets aside what no row accounts for. If that fails it stays where it is. */
  setAside(path: string, name: string, origin: Origin): void {
    try {
      this.figures.orphanBytes += this.store.lostFound.take(path, name, origin);
      this.figures.orphanFiles += 1;
    } catch (error) {
      this.fail(error);
    }
  }

  reportDamaged(streamId: string): void {
    this.figures.damagedStreams += 1;
    if (this.figures.damagedStreams <= maxCheckReports) this.damaged.push(streamId);
  }

  fail(error: unknown): void {
    if (this.failures.length < maxCheckReports) this.failures.push(toWavecacheError(error).message);
  }
}
