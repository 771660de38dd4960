/**
 * The events of the server, as the outbox of the catalog has them. Readers ask for the page after the last event that they
 * have: nothing is queued for a reader, however slow it is. The newest events are in memory while anybody watches.
 */
import { toWavecacheError } from "../../base/errors.ts";
import {
  eventBatchMs,
  eventPageLength,
  eventsPrunedAtOnce,
  maxEventAgeMs,
  maxUnwrittenEvents,
  recentEvents,
} from "../../base/limits/events.ts";
import type { Log } from "../../base/log/log.ts";
import { sharedNow } from "../../base/system/shared-clock.ts";
import type { KeeperClient } from "../../pool/keeper-client.ts";
import type { EventRow, NewEvent } from "../../store/events/outbox.ts";
import type { EventData, EventType } from "../../store/events/types.ts";
import type { EventWriter } from "./event-writer.ts";

export interface EventPage {
  events: EventRow[];
  /** The outbox no longer has all events after the one that was asked for. */
  hasGap: boolean;
}

export interface EventLogSettings {
  maxEvents: number;
}

type Keeper = Pick<KeeperClient, "call" | "watchEvents">;

export class EventLog implements EventWriter {
  /** Events that were dropped because the keeper did not take them. */
  dropped = 0;
  /** The id of the newest event that is known to be committed. */
  newest = 0;
  readonly #keeper: Keeper;
  readonly #settings: EventLogSettings;
  readonly #log: Log;
  readonly #watchers = new Set<() => void>();
  #unwritten: NewEvent[] = [];
  #writing: Promise<void> | undefined;
  #writeTimer: Timer | undefined;
  #isOpen = false;
  /** The events after `#recentAfter`, up to the last that was read. */
  #recent: EventRow[] = [];
  #recentAfter: number | undefined;
  #reading: Promise<void> | undefined;
  #isReading = false;
  #readTimer: Timer | undefined;
  #pruning: Promise<void> | undefined;
  #prunedAt = 0;

  constructor(keeper: Keeper, settings: EventLogSettings, log: Log) {
    this.#keeper = keeper;
    this.#settings = settings;
    this.#log = log;
    keeper.watchEvents((newest) => this.#announced(newest));
  }

  /** Call it once the store is open. */
  async open(): Promise<void> {
    const { newest } = await this.#keeper.call("eventsAfter", { id: Number.MAX_SAFE_INTEGER, limit: 1 });
    this.newest = Math.max(this.newest, newest);
    this.#isOpen = true;
    await this.flush();
  }

  /** Writes what is left. The keeper must still be there. */
  async close(): Promise<void> {
    this.#watchers.clear();
    clearTimeout(this.#readTimer);
    await this.flush();
    await Promise.all([this.#reading, this.#pruning]);
  }

  add<T extends EventType>(type: T, subject: string, data: EventData<T>): void {
    this.#unwritten.push({ type, subject, at: sharedNow(), data });
    this.#dropExcess();
    this.#writeTimer ??= setTimeout(() => void this.flush(), eventBatchMs);
  }

  /** Resolves when all events so far are written, or could not be. */
  async flush(): Promise<void> {
    clearTimeout(this.#writeTimer);
    this.#writeTimer = undefined;
    await this.#writing;
    if (!this.#isOpen || this.#unwritten.length === 0) return;
    this.#writing = this.#write().finally(() => {
      this.#writing = undefined;
    });
    await this.#writing;
  }

  /** Calls `onEvents` when there may be newer events. Returns what ends that. */
  watch(onEvents: () => void): () => void {
    this.#watchers.add(onEvents);
    return () => {
      this.#watchers.delete(onEvents);
      if (this.#watchers.size > 0) return;
      this.#recent = [];
      this.#recentAfter = undefined;
    };
  }

  /** The events after this id; empty if there are none yet. */
  async page(after: number): Promise<EventPage> {
    if (this.#recentAfter !== undefined && after >= this.#recentAfter) return this.#recentPage(after);
    const { events, oldest } = await this.#keeper.call("eventsAfter", { id: after, limit: eventPageLength });
    const mayHaveGap = after > 0 && events.length > 0;
    return { events, hasGap: mayHaveGap && (await this.#isRemoved(after, oldest)) };
  }

  /** The id after which there are so many events; 0 if there are not more. */
  async beforeNewest(count: number): Promise<number> {
    return await this.#keeper.call("eventBeforeNewest", { count });
  }

  #recentPage(after: number): EventPage {
    const start = firstAfter(this.#recent, after);
    return { events: this.#recent.slice(start, start + eventPageLength), hasGap: false };
  }

  /** Ids have gaps: only if the event itself is gone, later ones may be gone, too. */
  async #isRemoved(id: number, oldest: number): Promise<boolean> {
    if (id >= oldest) return false;
    const { events } = await this.#keeper.call("eventsAfter", { id: id - 1, limit: 1 });
    return events[0]?.id !== id;
  }

  #announced(newest: number): void {
    this.newest = Math.max(this.newest, newest);
    if (this.#watchers.size > 0 && !this.#isReading) this.#reading = this.#readRecent();
    const now = performance.now();
    if (now - this.#prunedAt < pruneIntervalMs) return;
    this.#prunedAt = now;
    this.#pruning ??= this.#prune();
  }

  /** Single flight. The events that are announced during a read are read with the next page. */
  async #readRecent(): Promise<void> {
    this.#isReading = true;
    try {
      this.#recentAfter ??= this.newest - 1;
      for (let last = this.#lastRecent(); last < this.newest && this.#watchers.size > 0;) {
        const { events } = await this.#keeper.call("eventsAfter", { id: last, limit: eventPageLength });
        if (events.length === 0) break;
        this.#remember(events);
        last = events.at(-1)!.id;
        for (const notify of this.#watchers) notify();
      }
    } catch (error) {
      this.#log.warn("new events could not be read, and are tried again", { error });
      this.#readTimer ??= setTimeout(() => this.#readAgain(), retryMs);
    } finally {
      this.#isReading = false;
    }
  }

  #readAgain(): void {
    this.#readTimer = undefined;
    this.#announced(this.newest);
  }

  #lastRecent(): number {
    return this.#recent.at(-1)?.id ?? this.#recentAfter!;
  }

  #remember(events: EventRow[]): void {
    if (this.#recentAfter === undefined) return;
    this.#recent.push(...events);
    const excess = this.#recent.length - recentEvents;
    if (excess <= 0) return;
    this.#recentAfter = this.#recent[excess - 1]!.id;
    this.#recent.splice(0, excess);
  }

  async #write(): Promise<void> {
    const events = this.#unwritten;
    this.#unwritten = [];
    try {
      await this.#keeper.call("appendEvents", { events });
    } catch (error) {
      // A lost store stays lost until the next start, which begins with events of its own.
      if (toWavecacheError(error).code === "STORE_LOST") return;
      this.#log.warn("events could not be written, and are tried again", { count: events.length, error });
      this.#unwritten = [...events, ...this.#unwritten];
      this.#dropExcess();
      this.#writeTimer ??= setTimeout(() => void this.flush(), retryMs);
    }
  }

  #dropExcess(): void {
    const excess = this.#unwritten.length - maxUnwrittenEvents;
    if (excess <= 0) return;
    if (this.dropped === 0) this.#log.error("events are dropped: the catalog does not take them");
    this.dropped += excess;
    this.#unwritten.splice(0, excess);
  }

  async #prune(): Promise<void> {
    try {
      const limits = { maxEvents: this.#settings.maxEvents, maxAgeMs: maxEventAgeMs };
      while ((await this.#keeper.call("pruneEvents", { ...limits, at: sharedNow() })) === eventsPrunedAtOnce);
    } catch (error) {
      this.#log.warn("old events could not be removed", { error });
    } finally {
      this.#pruning = undefined;
    }
  }
}

const retryMs = 1_000;
const pruneIntervalMs = 200;

/** The index of the first event with a greater id. */
function firstAfter(events: EventRow[], id: number): number {
  let [low, high] = [0, events.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (events[middle]!.id > id) high = middle;
    else low = middle + 1;
  }
  return low;
}
