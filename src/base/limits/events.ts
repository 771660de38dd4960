/** Limits of events: the outbox, its readers, webhooks and commands. */
import { leaseRenewalMs, nodeLeaseMs } from "./postgres.ts";
import { mustHold } from "./relation.ts";

const dayMs = 24 * 3600 * 1000;

/** Events that the outbox keeps (`--max-events`), about 60 MB; the oldest go first, delivered or not. */
export const defaultMaxEvents = 200_000;
/** Events that are older than this are removed. */
export const maxEventAgeMs = 7 * dayMs;
/** Events that one transaction removes: the other calls of the keeper wait for it. */
export const eventsPrunedAtOnce = 2_000;
/** Each node compares an outbox that nodes share with its limit this often; meanwhile it may exceed it. */
export const sharedOutboxLookMs = 5_000;
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
/** Deliveries of one consumer (a webhook) at once, each of another subject. */
export const maxDeliveriesAtOnce = 8;
/** Events that one consumer has read and not got; at the limit it reads no more, and the outbox keeps them. */
export const maxOpenDeliveries = 1_000;
/** Events that were given up, of each consumer; above this the oldest is forgotten. */
export const maxDeadDeliveries = 1_000;
/** Events of one consumer that have failed, or wait behind such ones, with those that are delivered again. */
export const maxWaitingDeliveries = maxOpenDeliveries + eventPageLength + maxDeadDeliveries;
/** A node looks this often for consumers without an owner, and whether those that it owns are still its own. */
export const consumerLookMs = 2_000;
/** The state of deliveries is saved after this long; a crash repeats what was delivered since. */
export const deliverySaveMs = 200;
/** A receiver that has not answered by then has failed. */
export const webhookTimeoutMs = 15_000;
/** A failed webhook is tried again after 1 s, 2 s, 4 s and so on, up to an hour, and given up after 3 days. */
export const hookRetry = { firstMs: 1_000, maxMs: 3_600_000, giveUpMs: 3 * dayMs };
/** A command that runs longer is killed. */
export const commandTimeoutMs = 60_000;
/** Of each output of a command, in the log; the rest is discarded. */
export const maxCommandOutputChars = 2_000;
/** A command that fails is not run again. */
export const commandRetry = { firstMs: 1_000, maxMs: 1_000, giveUpMs: 0 };
/** A consumer that is no longer configured loses its state after this long, looked at in this interval. */
export const consumerAbsenceMs = 7 * dayMs;
export const consumerUpkeepMs = 3_600_000;
/** Webhooks; more are refused at the start. */
export const maxHooks = 64;

mustHold("an event is not removed by its age before it is given up", maxEventAgeMs > 2 * hookRetry.giveUpMs);
mustHold("a claim outlasts a look that fails", nodeLeaseMs - leaseRenewalMs > 2 * consumerLookMs);
mustHold("one page does not replace all recent events", recentEvents >= 2 * eventPageLength);
mustHold(
  "pruning keeps up with 50,000 events a second",
  eventsPrunedAtOnce * 1000 >= 50_000 * eventAnnounceMs,
);

/** How many of the last events a client may ask for; more is BAD_REQUEST, and `after` reads them all. */
export const maxReplayedEvents = 1_000;
