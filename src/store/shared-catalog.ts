/**
 * What a node does for the others that share its catalog, and hears of them: it renews its lease, so that nobody takes over
 * what it does, and looks for what they have changed.
 */
import { catalogLookMs, leaseRenewalMs } from "../base/limits/postgres.ts";

/** Grows with each change, whatever node makes it. */
export interface CatalogNews {
  newestEvent: number;
  tokens: number;
}

export interface SharedCatalog {
  /** Call it more often than the lease lasts. */
  renewLease(): void;
  news(): CatalogNews;
}

export interface NewsListener {
  eventsAppended(newest: number): void;
  tokensChanged(): void;
}

export class CatalogWatch {
  readonly #catalog: SharedCatalog;
  readonly #listener: NewsListener;
  readonly #timer: Timer;
  #known: CatalogNews;
  #renewedAtMs = performance.now();

  /** No transaction is open when the timer runs, as none awaits anything. */
  constructor(catalog: SharedCatalog, listener: NewsListener) {
    this.#catalog = catalog;
    this.#listener = listener;
    this.#known = catalog.news();
    this.#timer = setInterval(() => this.#look(), catalogLookMs);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    try {
      if (performance.now() - this.#renewedAtMs >= leaseRenewalMs) this.#renew();
      const before = this.#known;
      const { newestEvent, tokens } = (this.#known = this.#catalog.news());
      if (newestEvent !== before.newestEvent) this.#listener.eventsAppended(newestEvent);
      if (tokens !== before.tokens) this.#listener.tokensChanged();
    } catch {
      // The catalog reports its faults by itself, and is opened anew. An error here would end the thread.
      this.close();
    }
  }

  #renew(): void {
    this.#catalog.renewLease();
    this.#renewedAtMs = performance.now();
  }
}
