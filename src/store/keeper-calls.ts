/**
 * The calls to the keeper, the thread that owns the catalog and makes finished streams durable. Each event in a
 * stream's life makes one call; a frame makes none. That is rare enough for messages instead of a ring.
 */
import type { ArchiveCalls } from "./archive/calls.ts";
import type { StoredUpload } from "./archive/parts/catalog.ts";
import type { JoinArgs, JoinResult } from "./recordings/joins/keeper.ts";
import type { ErrorCode, WavecacheError } from "../base/errors.ts";
import type { RecordingEntry, StartedSegment } from "../base/recording-entry.ts";
import type { CatalogAddress } from "./kept-catalog.ts";
import type { StoreCondition } from "./store-guard.ts";
import type { StoreNotice } from "./check/notice.ts";
import type { CheckpointItem, CheckpointOutcome } from "./streams/checkpoint.ts";
import type { AccountRoom } from "./streams/accounts.ts";
import type { StreamSearch } from "./streams/search.ts";
import type { FoundRows, ListQuery, StoredObject, StreamRow, Totals } from "./streams/catalog.ts";
import type { StreamChange } from "./streams/changes.ts";
import type { ScrubState } from "./streams/scrub-state.ts";
import type { ConsumerClaim, ConsumerWish } from "./events/claims.ts";
import type { DeliveryChanges, DeliveryRow } from "./events/deliveries.ts";
import type { LiveStream } from "./events/facts.ts";
import type { EventRow, NewEvent, OutboxLimits } from "./events/outbox.ts";
import type { DeviceRow } from "./devices/catalog.ts";
import type { SessionUse, StoredSession } from "./sessions/catalog.ts";
import type { TokenRow, TokenUse } from "./tokens/catalog.ts";
import type { RecordingQuery, RecordingRow } from "./recordings/catalog.ts";
import type { RangeLevels } from "./recordings/peaks/levels-query.ts";
import type { MeasuredFolders, MeasuredRef } from "./recordings/peaks/files.ts";
import type { PeaksQuery, RangePeaks } from "./recordings/peaks/query.ts";
import type { OpenElsewhere } from "./recordings/open-elsewhere.ts";
import type { SoundSpan, SpanQuery } from "./recordings/sounds/catalog.ts";
import type {
  EndedConnection,
  Period,
  RecordedSource,
  TimelineQuery,
  TimelineRows,
} from "./recordings/timeline/catalog.ts";
import type { PeriodRows } from "./recordings/timeline/period.ts";
import type {
  Candidate,
  CandidateQuery,
  MeasuredRow,
  PinnedRange,
  ReadTime,
  RecordingTotals,
  RetainedKind,
  UsageSample,
} from "./retention/catalog.ts";
import type { NodeCalls } from "./nodes/calls.ts";
import type { RecordingLoss } from "./recordings/rewrite.ts";
import type { Recovery } from "./streams/recover.ts";
import type { StreamMetadata } from "./streams/metadata.ts";

export type ResumeAnswer =
  /** The id was free; the catalog now has a row for it. */
  | { kind: "new" }
  /** The same, after an unfinished stream of the id was removed. */
  | { kind: "restarted"; discardedBytes: number }
  /** Another node has the stream, and should release it first. */
  | { kind: "elsewhere"; node: string }
  /**
   * The stream has no file here yet: it was of another node, or a crash came before the file. `stored` is what the
   * archive has of it.
   */
  | {
      kind: "moved";
      key: string;
      metadata: StreamMetadata;
      isFromOther: boolean;
      stored: StoredUpload | undefined;
    }
  /** An interrupted upload: its file in incoming/ and the bytes in it. */
  | { kind: "unfinished"; key: string; size: number; metadata: StreamMetadata }
  | { kind: "finished"; row: StreamRow };

export interface OpenArgs {
  cacheDir: string;
  /** Null for a catalog in the cache folder. */
  catalog: CatalogAddress | null;
  /** New uploads of this process have keys that begin with this. */
  keyPrefix: string;
  /** Keep what was set aside in lost+found/ forever. */
  keepOrphans: boolean;
  /** An earlier keeper of this process has opened the store, so it must be there. */
  isReopened: boolean;
  /** The disk has failed that keeper. */
  afterFault: boolean;
  /** The address of the archive; undefined for none. */
  archive: string | undefined;
  at: number;
}

/** One upload of a stream. */
export interface UploadRef {
  streamId: string;
  key: string;
}

/** An unfinished stream, by its last use. */
export interface IdleUpload extends UploadRef {
  size: number;
}

export interface RemovedStream {
  finished: boolean;
  /** It was on the disk of another node, which removes its files. */
  isElsewhere: boolean;
  /** Of the object that went with the stream: null and 0 bytes if there was none, or other streams have it too. */
  objectSha256: string | null;
  objectBytes: number;
  unfinishedBytes: number;
}

/** Finished streams that went together. */
export interface RemovedStreams {
  streamIds: string[];
  /** The objects that no other stream has. */
  objects: { sha256: string; bytes: number }[];
}

/** A policy of retention limits the age, or the room. */
export type RetentionReason = "age" | "limit";

/** Arguments and result of each call. Times are milliseconds since 1970. */
export interface KeeperCalls extends ArchiveCalls, NodeCalls {
  /**
   * Opens the store, recovers it, and starts the background check. Must be the first call. Results in the id of this node, if
   * others share the catalog.
   */
  open: [args: OpenArgs, result: { recovery: Recovery; totals: Totals; node: string | null }];
  /** Inserts an unfinished stream. Fails with STREAM_EXISTS if the id is in use. */
  reserve: [
    args: { streamId: string; key: string; metadata: StreamMetadata; account: string | null; at: number },
    result: null,
  ];
  /**
   * Looks up what an upload with this id can resume from. Reserves a new id with `key`, unless `refusal` says why there
   * may be none. `restart` removes an unfinished stream first, and fails with STREAM_FINISHED for a
   * finished one. `asksOwner`: an unfinished stream of another node is left alone, so that this node can be asked.
   */
  resume: [
    args: {
      streamId: string;
      key: string;
      metadata: StreamMetadata;
      account: string | null;
      restart: boolean;
      asksOwner: boolean;
      refusal: ErrorCode | null;
      at: number;
    },
    result: ResumeAnswer,
  ];
  /** Sets the size that an upload in progress will have; undefined for none. */
  declareSize: [args: { streamId: string; size: number | undefined }, result: null];
  /** Records that an upload was interrupted. Results in the row that remains, or null if nothing does. */
  leave: [args: { streamId: string; at: number }, result: StreamRow | null];
  /** Syncs the file of an upload in progress, which shortens the sync at its end. */
  flush: [args: { streamId: string; key: string }, result: null];
  /** Makes the bytes of uploads in progress durable, and their rows. */
  checkpoint: [args: { items: CheckpointItem[]; at: number }, result: CheckpointOutcome[]];
  /** Commits a sealed upload. `addedBytes` is 0 if an object with the same content exists. */
  finish: [
    args: { streamId: string; key: string; size: number; sha256: string; format: string | null; at: number },
    result: { row: StreamRow; addedBytes: number },
  ];
  /** Finished streams with this object, by id; none if the object is damaged or missing. */
  streamsOf: [args: { sha256: string; limit: number }, result: StreamRow[]];
  /**
   * Enters a finished stream of an object. Fails with OBJECT_UNKNOWN if there is no such object, STREAM_EXISTS, and
   * TOKEN_LIMIT_REACHED if the account has no room for it.
   */
  adopt: [
    args: {
      streamId: string;
      key: string;
      sha256: string;
      metadata: StreamMetadata;
      room: AccountRoom | null;
      at: number;
    },
    result: StreamRow,
  ];
  /** Bytes of the streams of an account, apart from these, and of its recordings. */
  storedBytes: [args: { account: string; exceptStreamIds: string[] }, result: number];
  find: [args: { streamId: string }, result: StreamRow | null];
  /** The stream of this id, or else the only one whose tag `name`, or the end after its last slash, is this name. */
  lookUp: [args: { idOrName: string }, result: StreamRow | null];
  list: [args: ListQuery, result: StreamRow[]];
  /** Changes the tags of a stream, or describes its audio. Fails with STREAM_UNKNOWN, or BAD_REQUEST if it has too many. */
  change: [args: StreamChange, result: StreamRow];
  /** Finished streams whose audio properties are to be read. */
  undescribed: [args: { limit: number }, result: StreamRow[]];
  search: [args: StreamSearch, result: FoundRows];
  /** Removes a stream, and its object if no other stream uses it. Fails with STREAM_UNKNOWN if there is none. */
  remove: [args: { streamId: string }, result: RemovedStream];
  /** Removes finished streams in one transaction. Those that are pinned, or others by now, stay. */
  removeStreams: [
    args: { streams: UploadRef[]; reason: RetentionReason; at: number },
    result: RemovedStreams,
  ];
  /** Unfinished streams that nobody has touched for this long in running time, longest first. */
  idle: [args: { ms: number; limit: number }, result: IdleUpload[]];
  /** Removes interrupted uploads, and renews those that are in use. An id may have another upload by now. */
  expire: [
    args: { expired: UploadRef[]; inUse: UploadRef[]; reason: "idle" | "room"; at: number },
    result: { streamIds: string[]; bytes: number },
  ];
  totals: [args: null, result: Totals];
  /**
   * Marks the streams of an object as damaged, or as whole. Results in those marked otherwise before. None are marked as
   * damaged if the archive has the object: it is evicted instead.
   */
  markDamaged: [
    args: { sha256: string; isDamaged: boolean },
    result: { streamIds: string[]; isEvicted: boolean },
  ];
  countDamaged: [args: null, result: number];
  /** Objects after this SHA-256, for the scrub. */
  nextObjects: [args: { after: string; limit: number }, result: StoredObject[]];
  /** How far the scrub has come. */
  scrubState: [args: null, result: ScrubState];
  saveScrubState: [args: ScrubState, result: null];
  /** Removes checksums of objects that are gone; `folder` is one of the 256. Results in how many. */
  sweepSums: [args: { folder: number }, result: number];
  /** Repairs segments that are not in the catalog and inserts them; only those in `names` unless it is null. */
  repairRecordings: [
    args: { folder: string; names: string[] | null },
    result: { entered: number; removed: number; damaged: string[] },
  ];
  /**
   * Syncs recordings to the disk and inserts the closed ones; `open` names those in progress. Of the closed ones,
   * `suspect` names those that an earlier sync has failed for; of these, `losses` are no longer what was recorded.
   * `ended` are connections whose last segments are among the closed ones, or were before.
   */
  syncRecordings: [
    args: {
      folder: string;
      open: string[];
      closed: RecordingEntry[];
      suspect: string[];
      ended: EndedConnection[];
    },
    result: { losses: RecordingLoss[] },
  ];
  /** Recordings without files are removed from the catalog; `removed` has their names. */
  listRecordings: [
    args: { folder: string; query: RecordingQuery },
    result: { rows: RecordingRow[]; removed: string[] },
  ];
  /** The recordings after this id, by id, whether their files are there or not. */
  recordingsAfter: [args: { id: number; limit: number }, result: RecordingRow[]];
  /** A recording with what is missing of its files; null if there is none. */
  findRecording: [args: { folder: string; id: number }, result: RecordingRow | null];
  /**
   * Looks for the files of the recordings after this id, and makes missing peaks. Results in the last id looked at, or
   * null at the end; `peaksProblem` is why the peaks of one cannot be made.
   */
  lookAtRecordings: [
    args: { folder: string; after: number; limit: number },
    result: { last: number | null; removed: string[]; peaksProblem: string | null },
  ];
  /** The hour of the next recording from this time on, and its sessions that have several; null if there is none. */
  joinableSessions: [
    args: { from: number; hourMs: number },
    result: { from: number; sessions: number[] } | null,
  ];
  /** Joins the segments of a session that started within an hour. */
  joinRecordings: [args: JoinArgs, result: JoinResult];
  /** Removes what joins have left over: those before this time, in ms since 1970, or all of an earlier run. */
  settleJoins: [args: { folder: string; before: number | "all" }, result: null];
  /** Keeps what a repair of a segment would need. */
  startSegment: [args: { segment: StartedSegment; live: LiveStream; at: number }, result: null];
  /** The segments of a period whose samples are anywhere; `removed` has the names of those without any file. */
  readPeriod: [
    args: Period & { folder: string },
    result: PeriodRows & { removed: string[]; openElsewhere: OpenElsewhere[] },
  ];
  /** Removes a recording by its id, or at most `limit` of those that lie within a period. */
  removeRecordings: [
    args: { folder: string; what: number | Period; limit: number },
    result: { removed: number; bytes: number },
  ];
  /** Devices, and streams without one, that there is audio of. */
  recordedSources: [args: { after: string; limit: number }, result: RecordedSource[]];
  /** When there is audio of a device, or of a stream without one. */
  timeline: [args: Omit<TimelineQuery, "source"> & { name: string }, result: TimelineRows];
  /** Inserts spans of sound and silence, or ends those that are there. */
  saveSoundSpans: [args: { spans: SoundSpan[] }, result: null];
  /** Ends the spans that a crash has left open. */
  endSoundSpans: [args: null, result: null];
  listSoundSpans: [args: Omit<SpanQuery, "source"> & { name: string }, result: SoundSpan[]];
  /** How a device sounded in a range of time; null if it has no recording there. */
  peaksOfRange: [
    args: { folders: MeasuredFolders; query: Omit<PeaksQuery, "source"> & { name: string } },
    result: { peaks: RangePeaks | null; absent: MeasuredRef[] },
  ];
  /** How loud a device was in a range of time; null if it has no recording there. */
  levelsOfRange: [
    args: { folders: MeasuredFolders; query: Omit<PeaksQuery, "source"> & { name: string } },
    result: { levels: RangeLevels | null; absent: MeasuredRef[] },
  ];
  /** Removes the `.wav` of recordings that the archive has. Results in what it removed. */
  evictRecordings: [args: { folder: string; ids: number[] }, result: { count: number; bytes: number }];
  /** Removes recordings that are not kept any longer, unless they are pinned. `failed` has those whose files cannot be removed. */
  expireRecordings: [
    args: { folder: string; ids: number[]; reason: RetentionReason },
    result: { ids: number[]; bytes: number; failed: { id: number; name: string; reason: string }[] },
  ];
  /** What may be removed: finished streams or recordings that are not pinned. */
  retentionCandidates: [args: CandidateQuery, result: Candidate[]];
  /** Everything of a kind, for counting. */
  measureRetained: [
    args: { kind: RetainedKind; after: string | number; limit: number },
    result: MeasuredRow[],
  ];
  retentionUsage: [
    args: null,
    result: { streams: Totals; recordings: RecordingTotals; samples: UsageSample[] },
  ];
  /** Remembers the usage of now; `unenteredBytes` are of recordings in progress. */
  sampleUsage: [args: { at: number; unenteredBytes: number }, result: null];
  noteReads: [args: { streams: ReadTime[]; recordings: ReadTime[] }, result: null];
  /** Fails with STREAM_UNKNOWN, or STREAM_UNFINISHED. */
  pinStream: [args: { streamId: string; isPinned: boolean }, result: null];
  /** Fails with RECORDING_UNKNOWN. */
  pinRecording: [args: { id: number; isPinned: boolean }, result: null];
  /** Fails with PINS_EXHAUSTED. */
  pinRange: [args: { range: PinnedRange; isPinned: boolean }, result: null];
  pinnedRanges: [args: null, result: PinnedRange[]];
  /** The devices in the catalog, least recently seen first. */
  listDevices: [args: null, result: DeviceRow[]];
  saveDevices: [args: { devices: DeviceRow[]; forgotten: string[] }, result: null];
  /** Writes events whose facts have no transaction of their own. */
  appendEvents: [args: { events: NewEvent[] }, result: null];
  /** Events with a greater id, in order, and the ids of the oldest and the newest one. */
  eventsAfter: [
    args: { id: number; limit: number },
    result: { events: EventRow[]; oldest: number; newest: number },
  ];
  /** The id after which there are so many events; 0 if there are not more. */
  eventBeforeNewest: [args: { count: number }, result: number];
  /** Claims the consumers of events that no other living node owns. Results in the owner of each. */
  claimConsumers: [args: { wishes: ConsumerWish[] }, result: ConsumerClaim[]];
  releaseConsumer: [args: { consumer: string; epoch: number }, result: null];
  /** Events that have failed, or wait behind such ones, oldest first. */
  waitingDeliveries: [args: { consumer: string; limit: number }, result: DeliveryRow[]];
  /** Results in false, and changes nothing, if the claim of this node is over. */
  saveDeliveries: [args: DeliveryChanges & { maxDead: number }, result: boolean];
  /** Events that were given up are to be delivered again: all, or the one with this id. Results in how many. */
  reviveDeliveries: [args: { consumer: string; id: number | null }, result: number];
  /** Removes the state of consumers of events that were not among these for `absenceMs`. */
  keepConsumers: [args: { consumers: string[]; at: number; absenceMs: number }, result: null];
  /** Events that were given up, oldest first. */
  deadDeliveries: [args: { consumer: string; limit: number }, result: DeliveryRow[]];
  /** Removes some of the events beyond the limits. Results in how many. */
  pruneEvents: [args: OutboxLimits & { at: number }, result: number];
  /** All tokens, those that have ended too. */
  listTokens: [args: null, result: TokenRow[]];
  /** Inserts a token. At the limit it replaces one that has ended; fails with TOKENS_EXHAUSTED if all are valid. */
  saveToken: [args: TokenRow, result: null];
  /** Results in whether there was a token that was not revoked. */
  revokeToken: [args: { id: string; at: number }, result: boolean];
  /** Records the last uses. */
  useTokens: [args: { uses: TokenUse[] }, result: null];
  /** Enters a session, and removes those that have expired or exceed the limit. Results in the SHA-256 of the removed ones. */
  openSession: [args: StoredSession, result: string[]];
  findSession: [args: { sha256: string }, result: StoredSession | null];
  /** Those of these that have not ended. */
  presentSessions: [args: { sha256s: string[] }, result: string[]];
  /** Those that expire after `at`, the one that was used last first. */
  listSessions: [args: { at: number }, result: StoredSession[]];
  /** Records the last uses. */
  useSessions: [args: { uses: SessionUse[] }, result: null];
  /** Ends the session with this id, or that of a cookie. Results in the SHA-256 of the cookie; null if there is none. */
  endSession: [args: { id: string } | { sha256: string }, result: string | null];
  /** The key that all nodes share under this name, which is `candidate` if there was none. */
  sharedKey: [args: { name: string; candidate: string }, result: string];
  /** Closes the catalog; the thread ends. Must be the last call. */
  close: [args: null, result: null];
}

export type KeeperCall = keyof KeeperCalls;
export type KeeperArgs<C extends KeeperCall> = KeeperCalls[C][0];
export type KeeperResult<C extends KeeperCall> = KeeperCalls[C][1];

/** What a request is answered with. */
export type Answer = { result: unknown } | { error: WavecacheError };

/** Main thread to keeper. */
export interface KeeperRequest<C extends KeeperCall = KeeperCall> {
  serial: number;
  call: C;
  args: KeeperArgs<C>;
}

/** Keeper to main thread; `errorNumber` is 0 or a number of `base/errors.ts`. */
export interface KeeperReply {
  serial: number;
  errorNumber: number;
  detail: string;
  result: unknown;
}

/** Keeper to main thread, of its own accord. */
export interface KeeperNotice {
  notice: StoreNotice;
}

/** Keeper to main thread: a lasting fault of the store has begun or ended. */
export interface KeeperCondition {
  condition: StoreCondition;
}

/** Keeper to main thread: events were committed, up to this one. */
export interface KeeperEvents {
  newestEvent: number;
}

/**
 * Keeper to main thread: what was changed by whatever node, and that there are tasks. `shared`: this node has changed what
 * others look for.
 */
export interface KeeperChange {
  changed: "tokens" | "sessions" | "tasks" | "shared";
}

/** Keeper to main thread: the clock of this machine is so much ahead of that of a shared catalog. */
export interface KeeperClock {
  clockAheadMs: number;
}

/** Hears what the keeper tells of its own accord. */
export interface KeeperListener {
  notified(notice: StoreNotice): void;
  conditionChanged(condition: StoreCondition): void;
}
