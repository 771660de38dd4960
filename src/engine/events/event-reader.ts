/** Reads the events that somebody wants, in order, from any event on. It holds a position, and no events. */
import type { EventRow } from "../../store/events/outbox.ts";
import type { EventLog } from "./event-log.ts";

export interface EventBatch {
  /** Those that are wanted; empty at the end of a wait. */
  events: EventRow[];
  /** Events before these are missing: the outbox no longer has them. */
  hasGap: boolean;
}

export class EventReader {
  /** The last event that was looked at. */
  position: number;
  readonly #log: Pick<EventLog, "page" | "watch">;
  readonly #isWanted: (event: EventRow) => boolean;
  readonly #unwatch: () => void;
  #hasNews = false;
  #isClosed = false;
  #wake: () => void = () => {};

  constructor(
    log: Pick<EventLog, "page" | "watch">,
    position: number,
    isWanted: (event: EventRow) => boolean,
  ) {
    this.#log = log;
    this.position = position;
    this.#isWanted = isWanted;
    this.#unwatch = log.watch(() => {
      this.#hasNews = true;
      this.#wake();
    });
  }

  /** The next events. Waits for them for up to `maxWaitMs`, or until it is closed. */
  async next(maxWaitMs: number): Promise<EventBatch> {
    const deadline = performance.now() + maxWaitMs;
    for (;;) {
      this.#hasNews = false;
      const { events, hasGap } = await this.#log.page(this.position);
      this.position = events.at(-1)?.id ?? this.position;
      const wanted = events.filter(this.#isWanted);
      const leftMs = deadline - performance.now();
      if (wanted.length > 0 || hasGap || this.#isClosed) return { events: wanted, hasGap };
      if (events.length > 0) continue;
      if (leftMs <= 0) return { events: [], hasGap };
      await this.#news(leftMs);
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#unwatch();
    this.#wake();
  }

  async #news(maxWaitMs: number): Promise<void> {
    if (this.#hasNews || this.#isClosed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, maxWaitMs);
    this.#wake = resolve;
    await promise;
    clearTimeout(timer);
  }
}
