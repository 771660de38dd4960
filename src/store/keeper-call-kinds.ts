/** The kinds of calls to the keeper: how each is run, and whether it writes. */
import type { KeeperCall, KeeperRequest } from "./keeper-calls.ts";

export type FinishRequest = KeeperRequest<"finish">;
export type RemoveRequest = KeeperRequest<"remove">;
export type AdoptRequest = KeeperRequest<"adopt">;
export type ChangeRequest = KeeperRequest<"change">;
/** They share one queue. */
export type CommitRequest = FinishRequest | RemoveRequest | AdoptRequest | ChangeRequest;
/** Waits for the disk, and touches nothing that commits and removals touch. */
export type SlowCall =
  | "flush"
  | "checkpoint"
  | "sweepSums"
  | "syncRecordings"
  | "repairRecordings"
  | "listRecordings"
  | "findRecording"
  | "lookAtRecordings"
  | "readPeriod"
  | "removeRecordings"
  | "peaksOfRange";

/** Only touches the catalog. */
export type QuickCall = Exclude<
  KeeperCall,
  "open" | "close" | "finish" | "remove" | "adopt" | "change" | SlowCall
>;

const slowCalls: ReadonlySet<KeeperCall> = new Set<SlowCall>([
  "flush",
  "checkpoint",
  "sweepSums",
  "syncRecordings",
  "repairRecordings",
  "listRecordings",
  "findRecording",
  "readPeriod",
  "removeRecordings",
  "lookAtRecordings",
  "peaksOfRange",
]);

/** The calls that work without writing. */
const readingCalls: ReadonlySet<KeeperCall> = new Set<KeeperCall>([
  "streamsOf",
  "find",
  "lookUp",
  "list",
  "search",
  "undescribed",
  "idle",
  "totals",
  "countDamaged",
  "nextObjects",
  "scrubState",
  "listRecordings",
  "peaksOfRange",
  "listDevices",
  "timeline",
  "eventsAfter",
  "listTokens",
  "listSoundSpans",
  "readPeriod",
]);

export function writes({ call }: KeeperRequest): boolean {
  return !readingCalls.has(call);
}

/** A removal frees space on a full disk, and needs no recovery before it. */
export function needsRecovery(request: KeeperRequest): boolean {
  return writes(request) && request.call !== "remove";
}

export function isSlow(request: KeeperRequest): request is KeeperRequest<SlowCall> {
  return slowCalls.has(request.call);
}

export function isCommit(request: KeeperRequest): request is CommitRequest {
  return ["finish", "remove", "adopt", "change"].includes(request.call);
}
