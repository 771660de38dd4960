/**
 * The catalog: the streams, and the object of each finished stream. One thread owns it, so the interface is
 * synchronous. It is an interface because a deployment over several machines keeps its catalog elsewhere.
 */

import type { Boot } from "../../base/system/boot.ts";
import type { ArchiveCatalog } from "../archive/catalog.ts";
import type { PartCatalog } from "../archive/parts/catalog.ts";
import type { ClaimCatalog } from "../events/claims.ts";
import type { DeliveryCatalog } from "../events/deliveries.ts";
import type { EventOutbox } from "../events/outbox.ts";
import type { NodeTasks } from "../nodes/tasks.ts";
import type { AccountCatalog } from "./accounts.ts";
import type { AudioProperties, StreamMetadata } from "./metadata.ts";
import type { FoundStreams, StreamSearch } from "./search.ts";

/**
 * `unfinished`: being uploaded, or interrupted and resumable. `sealed`: complete, with a commit in progress or cut off
 * by a crash. `finished`: its object is durable.
 */
export type StreamState = "unfinished" | "sealed" | "finished";

export interface StreamRow {
  streamId: string;
  state: StreamState;
  /** Name of the upload's file in incoming/. */
  key: string;
  /** Bytes; for an unfinished stream, when the row was last updated. */
  size: number;
  /** Synced bytes of an unfinished or sealed stream: they survive a power cut. */
  durableBytes: number;
  /** Lower-case hex; null while unfinished. */
  sha256: string | null;
  /** MIME type detected from the first bytes, or null. */
  format: string | null;
  /** From the client that created the stream. */
  metadata: StreamMetadata;
  /** Read from the audio of a finished stream; null before that. */
  audio: AudioProperties | null;
  /** Milliseconds since 1970. */
  createdAt: number;
  updatedAt: number;
  finishedAt: number | null;
  /** The run of the store in which row and file were last in step, or -1 if it is distrusted; see `Catalog`. */
  epoch: number;
  /** The object of a finished stream was found to be damaged or missing. */
  isDamaged: boolean;
  /** Retention never removes it. */
  isPinned: boolean;
  /** The token that uploaded it, or null. */
  account: string | null;
  /** Its object is in the archive alone. */
  isEvicted: boolean;
  /** The node that has the file, if that is another one. */
  otherNode?: string;
}

/**
 * What counts for a row that is not finished. `row`: it is in step with its file. `file`: an earlier run of this boot
 * wrote the file, whose size counts. `durable bytes`: the system has rebooted or a sync has failed since, and bytes past
 * the durable ones may be lost or damaged.
 */
export type Trust = "row" | "file" | "durable bytes";

/** What the catalog knows of a finished stream, apart from what follows from that. */
export interface FinishedStream extends SealedStream {
  key: string;
  metadata: StreamMetadata;
  audio: AudioProperties | null;
  createdAt: number;
  finishedAt: number;
  isPinned?: boolean;
  account?: string | null | undefined;
  /** Of its object in the archive, if the journal knows it. */
  archiveKey?: string | undefined;
}

/** A position in the order of SHA-256 and stream id. */
export interface ObjectPosition {
  sha256: string;
  streamId: string;
}

/** An object as one of its streams names it. */
export interface ObjectRow extends ObjectPosition {
  state: StreamState;
  size: number;
}

/** An object of one or more finished streams. */
export interface StoredObject {
  sha256: string;
  size: number;
  isDamaged: boolean;
}

export interface ListQuery {
  state: "finished" | "unfinished" | undefined;
  /** Lists ids greater than this one, in byte order. */
  after: string;
  limit: number;
}

/** A page of a search. */
export interface FoundRows extends Omit<FoundStreams, "streamIds"> {
  rows: StreamRow[];
}

/** Of all nodes that share the catalog. */
export interface StreamCounts {
  finished: number;
  unfinished: number;
}

/** Of this node. */
export interface Totals {
  finished: number;
  unfinished: number;
  /** Of unfinished and sealed streams, as their rows say. */
  unfinishedBytes: number;
  /** Objects that are not empty. */
  objects: number;
  /** Bytes of all objects; an object that streams share counts once. */
  objectBytes: number;
}

export interface SealedStream {
  streamId: string;
  size: number;
  sha256: string;
  format: string | null;
}

export interface Catalog {
  /** Whether this catalog was created when it was opened. */
  readonly isNew: boolean;
  /** Other nodes write to it, too: what this one knows of its streams may be out of date. */
  readonly isShared: boolean;
  /** Takes part in the same transactions. */
  readonly events: EventOutbox;
  readonly deliveries: DeliveryCatalog;
  readonly claims: ClaimCatalog;
  readonly accounts: AccountCatalog;
  readonly archive: ArchiveCatalog;
  readonly tasks: NodeTasks;
  readonly parts: PartCatalog;
  find(streamId: string): StreamRow | undefined;
  /** Those of them that there are, in this order. */
  findAll(streamIds: readonly string[]): StreamRow[];
  /** The only stream whose tag `name`, or what follows its last slash, is this name; undefined if there are several. */
  findNamed(name: string): StreamRow | undefined;
  /** Inserts an unfinished stream. Returns false, and changes nothing, if the id is in use. */
  reserve(streamId: string, key: string, at: number, metadata?: StreamMetadata): boolean;
  /**
   * The unfinished stream of another node becomes one of this node, empty and with another key: what the other node still
   * says about it changes nothing. Fences the other node if it is dead. Returns false if the stream has changed meanwhile.
   */
  takeOver(row: StreamRow, key: string, at: number): boolean;
  /** Updates the size of an unfinished stream and renews its time to live; does nothing in any other state. */
  touch(streamId: string, size: number, at: number): void;
  /** Sets or removes the declared size of an unfinished stream; does nothing in any other state. */
  declareSize(streamId: string, size: number | undefined): void;
  /** Raises the durable bytes of an unfinished stream. The key must match: the id may have a new upload by now. */
  markDurable(streamId: string, key: string, bytes: number): void;
  /** An unfinished stream whose file is synced as a whole becomes sealed. Returns false for any other. */
  seal(stream: SealedStream, at: number): boolean;
  /** A sealed stream becomes unfinished again. */
  unseal(streamId: string, size: number, at: number): void;
  /** A sealed stream becomes finished. */
  finish(streamId: string, at: number): void;
  /** Inserts a finished stream, whose object is there. Returns false, and changes nothing, if the id is in use. */
  enter(stream: FinishedStream): boolean;
  /** Other nodes change none of these streams before the transaction ends. */
  lock(streamIds: readonly string[]): void;
  /** Replaces what is known of a stream. The key must match: the id may have a new upload by now. */
  describe(streamId: string, key: string, metadata: StreamMetadata, audio: AudioProperties | null): void;
  /** Of this node. */
  remove(streamId: string): void;
  /**
   * Removes finished streams of whatever node; another node gets tasks. Returns the ids of those that it removed: none that is
   * gone, or is another one by now, or is pinned, unless `evenPinned`.
   */
  removeFinished(streams: readonly Pick<StreamRow, "streamId" | "key">[], evenPinned: boolean): string[];
  /** Whether any other stream has this object. */
  hasObject(sha256: string, exceptStreamId: string): boolean;
  /** Whether a stream that is not finished has this file of incoming/. */
  hasKey(key: string): boolean;
  /** Whether a finished stream has this object. */
  hasFinished(sha256: string): boolean;
  /** Finished streams with this object, by id. */
  streamsOf(sha256: string, limit: number): StreamRow[];
  list(query: ListQuery): StreamRow[];
  /** Finished streams of this node after this id, by id. */
  ownFinished(after: string, limit: number): StreamRow[];
  /** Streams of an older version are found once `fillSearch` has added them. */
  search(query: StreamSearch): FoundStreams;
  /** Finished streams whose audio properties are to be read. */
  undescribed(limit: number): StreamRow[];
  /** Adds streams of an older version to the index of the search. Returns whether there may be more. */
  fillSearch(limit: number): boolean;
  /** Unfinished streams that were last touched this long ago in running time, longest first. */
  idleFor(ms: number, limit: number): StreamRow[];
  /** Reads one row: the catalog keeps count. */
  totals(): Totals;
  counts(): StreamCounts;
  /** Every sealed stream. There are only as many as were in the commit that a crash cut off. */
  sealed(): StreamRow[];
  /** Unfinished streams with an id greater than this one that are not in step with their files, by id. */
  unsettled(afterStreamId: string, limit: number): StreamRow[];
  /** Objects whose SHA-256 starts with `prefix`, after this position. One row for each stream, sealed ones too. */
  objects(prefix: string, after: ObjectPosition | undefined, limit: number): ObjectRow[];

  /** Objects here of finished streams that are not empty, with a SHA-256 greater than this one, in order. */
  nextObjects(afterSha256: string, limit: number): StoredObject[];
  /** Marks the finished streams of an object as damaged, or as whole. Returns those that were marked otherwise. */
  markDamaged(sha256: string, isDamaged: boolean): string[];
  /** Finished streams that are marked as damaged. */
  countDamaged(): number;

  /** Begins a run of the store: no row that is not finished is in step with its file until it is settled. */
  startRun(boot: Boot): void;
  trustIn(row: StreamRow): Trust;
  /** The row of an unfinished stream is in step with its file, which has this size. */
  settle(streamId: string, size: number): void;
  /**
   * A sync of this upload's file failed, and the system may have dropped its bytes: a later sync would succeed without
   * them. From now on only the durable bytes count. The upload can be neither sealed nor made durable before it is
   * settled. The key must match: the id may have a new upload by now.
   */
  distrust(streamId: string, key: string): void;
  /** Running time of the store in all its runs together, in ms. It advances with no wall clock. */
  runningMs(): number;
  /** A fact about the store as a whole. */
  meta(name: string): string | undefined;
  /** Undefined removes the fact. */
  setMeta(name: string, value: string | undefined): void;
  /**
   * Runs `change` as one transaction and rolls it back if `change` throws. A durable transaction is on the disk when
   * this returns. Any other survives a crash of the process, but a power cut may undo it. `otherNodes` are those whose rows
   * it removes: their transactions wait meanwhile.
   */
  transaction<T>(change: () => T, durable: boolean, otherNodes?: readonly string[]): T;
  close(): void;
  /** Closes after a failure of the disk: writes nothing. */
  abandon(): void;
  /** Distrusts every unfinished stream: it is not known any more which of their syncs have failed. */
  distrustAll(): void;
}
