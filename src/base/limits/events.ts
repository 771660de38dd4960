/** Limits of events: the outbox, its readers, webhooks and commands. */
import { mustHold } from "./relation.ts";

const dayMs = 24 * 3600 * 1000;

/** Events that the outbox keeps (`--max-events`), about 60 MB; the oldest go first, delivered or not. */
export const defaultMaxEvents = 200_000;
/** Events that are older than this are removed. */
export const maxEventAgeMs = 7 * dayMs;
/** Events that one transaction removes: the other calls of the keeper wait for it. */
export const eventsPrunedAtOnce = 2_000;
/** The keeper tells the main thread of new events at this interval: together, however many there are. */
export const eventAnnounceMs = 20;
/** Events without a transaction of their own are written after this long, together. */
export const eventBatchMs = 50;
/** Such events that wait for the keeper; above this the oldest is dropped, counted and logged. */
export const maxUnwrittenEvents = 10_000;
/** Streams that one event names. */
export const maxNamedStreams = 10;
/** Events in one page of the outbox. */
export const eventPageLength = 500;
/** The newest events, which readers get from memory. Who is further behind reads the outbox. */
export const recentEvents = 2_000;
/** Globs of one filter, and the characters of each; more are refused with BAD_REQUEST. */
export const maxEventGlobs = 32;
export const maxEventGlobChars = 256;
/** Clients of `/api/events`; one more is refused with EVENTS_EXHAUSTED. */
export const maxEventReaders = 256;
/** A client of `/api/events` that had all events and is this far behind now is cut off. */
export const maxEventsBehind = 10_000;
/** A client that takes nothing for this long is closed. */
export const eventStallSeconds = 30;
/** Without an event a comment is sent at this interval, which keeps proxies from closing the connection. */
export const eventKeepaliveMs = 15_000;

mustHold("one page does not replace all recent events", recentEvents >= 2 * eventPageLength);
mustHold(
  "pruning keeps up with 50,000 events a second",
  eventsPrunedAtOnce * 1000 >= 50_000 * eventAnnounceMs,
);
