/**
 * What a node does for the others that share its catalog, and hears of them: it renews its lease, so that nobody takes over
 * what it does, looks for what they have changed, and carries out what dead ones have left.
 */
import { catalogLookMs, deadNodeLookMs, leaseRenewalMs } from "../base/limits/postgres.ts";

/** The first two grow with each change, whatever node makes it. */
export interface CatalogNews {
  newestEvent: number;
  tokens: number;
  /** 1 if other nodes have left tasks (nodes/tasks.ts), otherwise 0. */
  tasks: number;
}

export interface SharedCatalog {
  /** Call it more often than the lease lasts. */
  renewLease(): void;
  news(): CatalogNews;
  /** Takes over some of what nodes have left that died long ago and that any node can do. Returns how much. */
  takeOverWork(): number;
}

export interface NewsListener {
  eventsAppended(newest: number): void;
  tokensChanged(): void;
  /** Again at each look while there are tasks. */
  tasksWaiting(): void;
}

export class CatalogWatch {
  readonly #catalog: SharedCatalog;
  readonly #listener: NewsListener;
  readonly #timer: Timer;
  #known: CatalogNews;
  #renewedAtMs = performance.now();
  #tookOverAtMs = performance.now();

  /** No transaction is open when the timer runs, as none awaits anything. */
  constructor(catalog: SharedCatalog, listener: NewsListener) {
    this.#catalog = catalog;
    this.#listener = listener;
    this.#known = catalog.news();
    this.#timer = setInterval(() => this.#lookByItself(), catalogLookMs);
    if (this.#known.tasks > 0) listener.tasksWaiting();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Tells what has changed since the last look. */
  look(): void {
    const before = this.#known;
    const { newestEvent, tokens, tasks } = (this.#known = this.#catalog.news());
    if (newestEvent !== before.newestEvent) this.#listener.eventsAppended(newestEvent);
    if (tokens !== before.tokens) this.#listener.tokensChanged();
    if (tasks > 0) this.#listener.tasksWaiting();
  }

  #lookByItself(): void {
    try {
      if (performance.now() - this.#renewedAtMs >= leaseRenewalMs) this.#renew();
      this.look();
      if (performance.now() - this.#tookOverAtMs >= deadNodeLookMs) this.#takeOver();
    } catch {
      // The catalog reports its faults by itself, and is opened anew. An error here would end the thread.
      this.close();
    }
  }

  #takeOver(): void {
    this.#tookOverAtMs = performance.now();
    this.#catalog.takeOverWork();
  }

  #renew(): void {
    this.#catalog.renewLease();
    this.#renewedAtMs = performance.now();
  }
}
