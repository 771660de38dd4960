/** The kinds of calls to the keeper: how each is run, and whether it writes. */
import type { KeeperCall, KeeperRequest } from "./keeper-calls.ts";

export type FinishRequest = KeeperRequest<"finish">;
export type RemoveRequest = KeeperRequest<"remove">;
export type AdoptRequest = KeeperRequest<"adopt">;
export type ChangeRequest = KeeperRequest<"change">;
export type RemoveStreamsRequest = KeeperRequest<"removeStreams">;
export type EvictRequest = KeeperRequest<"evict">;
export type LocalizeRequest = KeeperRequest<"localize">;
export type StreamTasksRequest = KeeperRequest<"streamTasks">;
/** They share one queue. */
export type CommitRequest =
  | FinishRequest
  | RemoveRequest
  | RemoveStreamsRequest
  | AdoptRequest
  | ChangeRequest
  | EvictRequest
  | LocalizeRequest
  | StreamTasksRequest;
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
  | "peaksOfRange"
  | "levelsOfRange"
  | "joinRecordings"
  | "settleJoins"
  | "expireRecordings"
  | "recordingTasks"
  | "expireAbandoned"
  | "expireAbandonedUploads"
  | "evictRecordings"
  | "useSessions"
  | "endSession"
  | "sharedKey";

/** Only touches the catalog. */
export type QuickCall = Exclude<KeeperCall, "open" | "close" | CommitRequest["call"] | SlowCall>;

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
  "levelsOfRange",
  "joinRecordings",
  "settleJoins",
  "expireRecordings",
  "recordingTasks",
  "expireAbandoned",
  "expireAbandonedUploads",
  "evictRecordings",
  "useSessions",
  "endSession",
  "sharedKey",
]);

/** The calls that work without writing. */
const readingCalls: ReadonlySet<KeeperCall> = new Set<KeeperCall>([
  "streamsOf",
  "storedBytes",
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
  "levelsOfRange",
  "listDevices",
  "recordedSources",
  "timeline",
  "eventsAfter",
  "eventBeforeNewest",
  "waitingDeliveries",
  "deadDeliveries",
  "listTokens",
  "findSession",
  "presentSessions",
  "listSessions",
  "listSoundSpans",
  "readPeriod",
  "joinableSessions",
  "retentionCandidates",
  "measureRetained",
  "retentionUsage",
  "pinnedRanges",
  "abandoned",
  "lookForNews",
  "archiveDue",
  "archiveRemovals",
  "archiveUploads",
  "partsFind",
  "partsUploads",
  "archiveTotals",
  "archiveItem",
  "archiveItemsAfter",
  "evictable",
  "evictableRecordings",
]);

/** The calls that go one group after the other: a removal must not interleave with a commit of the same object. */
const commitCalls: ReadonlySet<KeeperCall> = new Set<CommitRequest["call"]>([
  "finish",
  "remove",
  "removeStreams",
  "adopt",
  "change",
  "evict",
  "localize",
  "streamTasks",
]);
/** Removals free space on a full disk, and need no recovery before them. */
const removals: ReadonlySet<KeeperCall> = new Set<KeeperCall>([
  "remove",
  "removeStreams",
  "removeRecordings",
  "expireRecordings",
  "evict",
  "streamTasks",
  "recordingTasks",
]);

export function writes({ call }: KeeperRequest): boolean {
  return !readingCalls.has(call);
}

export function needsRecovery(request: KeeperRequest): boolean {
  return writes(request) && !removals.has(request.call);
}

/** What other nodes keep in memory, or have to do. Events announce themselves. */
const sharedChanges: ReadonlySet<KeeperCall> = new Set<KeeperCall>([
  "saveToken",
  "revokeToken",
  "endSession",
  "change",
  "remove",
  "removeRecordings",
  "expireAbandoned",
  "expireAbandonedUploads",
]);

export function changesWhatOthersLookFor({ call }: KeeperRequest): boolean {
  return sharedChanges.has(call);
}

export function isSlow(request: KeeperRequest): request is KeeperRequest<SlowCall> {
  return slowCalls.has(request.call);
}

export function isCommit(request: KeeperRequest): request is CommitRequest {
  return commitCalls.has(request.call);
}
