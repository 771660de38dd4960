/**
 * The outbox: what has happened, in the same transaction as the fact itself, so that no crash can separate them. Events
 * are read by their ids, which grow in the order of the commits. Its owner prunes it: it is bounded by age and count.
 */
import type { EventData, EventType } from "./types.ts";

/** An event that has no id yet. */
export interface NewEvent<T extends EventType = EventType> {
  type: T;
  /** What it is about, such as `streams/ID`. Events of one subject are delivered in their order. */
  subject: string;
  /** Milliseconds since 1970. */
  at: number;
  data: EventData<T>;
}

export interface EventRow {
  /** Grows with each event, also over restarts, copies and losses of the catalog. */
  id: number;
  type: EventType;
  subject: string;
  at: number;
  /** JSON. */
  data: string;
}

export interface OutboxLimits {
  maxEvents: number;
  maxAgeMs: number;
}

export interface EventOutbox {
  /** Call it in the transaction of the fact. */
  append<T extends EventType>(event: NewEvent<T>): void;
  /** Events with a greater id, in order. */
  after(id: number, limit: number): EventRow[];
  /** The id after which there are so many events; 0 if there are not more. */
  beforeNewest(count: number): number;
  /** The id of the oldest and of the newest event; 0 if there has never been one. */
  range(): { oldest: number; newest: number };
  /** Begins a run of the store: ids continue above those that a lost catalog or a later copy may have had. */
  startRun(at: number): void;
  /** Removes some of the events beyond the limits. Returns how many. */
  prune(limits: OutboxLimits, at: number): number;
  /** Calls this after each append, before the transaction is over. It may still be rolled back. */
  watch(onAppended: () => void): void;
}
