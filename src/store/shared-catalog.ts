/**
 * What a node does for the others that share its catalog, and hears of them: it renews its lease, so that nobody takes over
 * what it does, looks for what they have changed, and carries out what dead ones have left.
 */
import { CatalogClock } from "./catalog-clock.ts";
import { catalogLookMs, deadNodeLookMs, leaseRenewalMs } from "../base/limits/postgres.ts";

/** All but `tasks` grow with each change, whatever node makes it. */
export interface CatalogNews {
  newestEvent: number;
  tokens: number;
  /** Grows when sessions of browsers end. */
  sessions: number;
  /** 1 if other nodes have left tasks (nodes/tasks.ts), otherwise 0. */
  tasks: number;
  /** By the clock of the database, in milliseconds since 1970. */
  nowMs: number;
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
  sessionsEnded(): void;
  /** The clock of this machine is so much ahead, or right again: 0. Once at first, then at each change. */
  clockDiffers(aheadMs: number): void;
  /** Again at each look while there are tasks. */
  tasksWaiting(): void;
}

export class CatalogWatch {
  readonly #catalog: SharedCatalog;
  readonly #listener: NewsListener;
  readonly #timer: Timer;
  readonly #clock = new CatalogClock();
  #known: CatalogNews;
  #renewedAtMs = performance.now();
  #tookOverAtMs = performance.now();

  /** No transaction is open when the timer runs, as none awaits anything. */
  constructor(catalog: SharedCatalog, listener: NewsListener) {
    this.#catalog = catalog;
    this.#listener = listener;
    const { news, aheadMs = 0 } = this.#news();
    this.#known = news;
    listener.clockDiffers(aheadMs);
    this.#timer = setInterval(() => this.#lookByItself(), catalogLookMs);
    if (this.#known.tasks > 0) listener.tasksWaiting();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Tells what has changed since the last look. */
  look(): void {
    const before = this.#known;
    const { news, aheadMs } = this.#news();
    this.#known = news;
    const { newestEvent, tokens, sessions, tasks } = news;
    if (aheadMs !== undefined) this.#listener.clockDiffers(aheadMs);
    if (newestEvent !== before.newestEvent) this.#listener.eventsAppended(newestEvent);
    if (tokens !== before.tokens) this.#listener.tokensChanged();
    if (sessions !== before.sessions) this.#listener.sessionsEnded();
    if (tasks > 0) this.#listener.tasksWaiting();
  }

  /** With what is new about the clock of this machine. */
  #news(): { news: CatalogNews; aheadMs: number | undefined } {
    const sentAt = Date.now();
    const news = this.#catalog.news();
    return { news, aheadMs: this.#clock.compare(news.nowMs, sentAt, Date.now()) };
  }

  #lookByItself(): void {
    try {
      if (performance.now() - this.#renewedAtMs >= leaseRenewalMs) this.#renew();
      this.look();
      if (performance.now() - this.#tookOverAtMs >= deadNodeLookMs) this.#takeOver();
    } catch {
      // The next look tries again: without it, the lease of a node that lives would end. A fault the catalog reports by
      // itself. An error here would end the thread.
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
