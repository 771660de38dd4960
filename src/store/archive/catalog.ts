/**
 * What the catalog knows of the archive: an item for each object that is there or waits to be stored, and the keys that
 * are to be removed. The items follow the finished streams in the same transactions: no object is without its item while
 * the archive is on.
 *
 *                finish                  stored                   evict
 *     (no item) ───────► local, queued ─────────► local, archived ──────► archived
 *         ▲                                             ▲                     │
 *         │ the last stream of the object goes          └─────────────────────┘
 *         └─────────────────────────────────── from any state   read as a whole
 *
 * An item that goes leaves its key for the removal. Each item has a key of its own, also one of the same content: the
 * late removal of an earlier one cannot touch it.
 */

/** The audio of an object, or of a recording, in the archive or on its way. */
export interface ArchiveItem {
  sha256: string;
  /** Bytes. */
  size: number;
  /** In the bucket, below the prefix. */
  key: string;
  isArchived: boolean;
  /** The object is in objects-v1/ of this node, or the `.wav` in its recordings folder. */
  isLocal: boolean;
  /** The name of the recording; null for an object. */
  recording: string | null;
  /** Milliseconds since 1970. */
  queuedAt: number;
  /** In a row. */
  failures: number;
  /** An upload in parts that was begun. */
  uploadId: string | null;
}

export interface FoundItem extends ArchiveItem {
  /** Not an object of this node: what comes back must not become one. */
  isForeign: boolean;
}

/** The `.wav` of a recording that the archive has. */
export interface RecordingItem {
  name: string;
  sha256: string;
  size: number;
  key: string;
  isLocal: boolean;
}

/** A recording whose `.wav` may go from here. */
export interface EvictableRecording {
  id: number;
  name: string;
  /** Bytes of the `.wav`. */
  size: number;
}

export interface RecordingPosition {
  /** When it was used last, in milliseconds since 1970. */
  usedAt: number;
  id: number;
}

/** What is to be removed from the archive. */
export interface ArchiveRemoval {
  key: string;
  size: number;
  uploadId: string | null;
}

/** An object whose local copy may go. */
export interface EvictableObject {
  sha256: string;
  size: number;
  /** Its finished streams. */
  streamIds: string[];
}

export interface ItemTotals {
  queued: number;
  queuedBytes: number;
  archived: number;
  archivedBytes: number;
  /** Of those in the archive: without a local copy. */
  evicted: number;
  evictedBytes: number;
}

/** Of objects, and of recordings. */
export interface ArchiveTotals extends ItemTotals {
  recordings: ItemTotals;
  removals: number;
  /** When the oldest item was queued, in milliseconds since 1970; null if none is. */
  oldestQueuedAt: number | null;
}

/** The items of recordings, as far as they differ from those of objects. */
export interface RecordingItems {
  /** Only of what the archive has; returns whether it has it. */
  setLocal(id: number, isLocal: boolean): boolean;
  /** As `evictable` of objects; not of recordings in a pinned range either. */
  evictable(after: RecordingPosition, limit: number): (EvictableRecording & RecordingPosition)[];
  /** Enters an item as it was in another copy of the catalog, also in the place of one that was queued. */
  enter(id: number, item: RecordingItem): void;
  /** The key of a recording's item. */
  keyOf(id: number): string | undefined;
  /** A key that is to be removed stays until this running time. */
  delayRemoval(key: string, dueMs: number): void;
  /** The archive does not have this content as it was: it is stored again. Returns the recordings that were there alone. */
  lost(sha256: string): string[];
}

export interface ArchiveCatalog {
  readonly recordings: RecordingItems;
  /** There is an archive, as far as is known. */
  readonly isOn: boolean;
  /**
   * The archive is this one from now on, or none. Items follow the streams only while there is one. Returns false, and
   * changes nothing, if some audio is in another archive alone.
   */
  use(archive: string | undefined): boolean;
  /** Queues objects and recordings that have no item. Returns whether there may be more. */
  fill(limit: number, at: number): boolean;
  find(sha256: string): ArchiveItem | undefined;
  /** The object of this node, or else what any node has of this content in the archive. */
  findAnywhere(sha256: string): FoundItem | undefined;
  /**
   * Queued items that are due at this running time, oldest first: what has failed comes before what is new, or it would
   * wait for as long as there is something new.
   */
  due(nowMs: number, limit: number, exceptKeys: readonly string[]): ArchiveItem[];
  /** The changes below need the key, too: the object may have another item by now. */
  begun(item: ItemRef, uploadId: string | null): void;
  failed(item: ItemRef, dueMs: number): void;
  /** Returns false if there is no such item any more. */
  archived(item: ItemRef): boolean;
  /** An item of the archive is stored again, as it is damaged there. */
  requeue(sha256: string): void;
  setLocal(sha256: string, isLocal: boolean): void;
  /** Enters an item as it was in another copy of the catalog, unless there is one. */
  enter(item: ArchiveItem): void;
  /** All items, by SHA-256. */
  after(sha256: string, limit: number): ArchiveItem[];
  /** Archived objects with a local copy and without a pinned stream, least recently used first. */
  evictable(after: EvictionPosition, limit: number): (EvictableObject & EvictionPosition)[];
  /** Uploads in parts of items after this key, of all nodes. */
  uploads(after: string, limit: number): { key: string; uploadId: string }[];
  /** Keys whose removal is due at this running time. */
  removals(nowMs: number, limit: number, exceptKeys: readonly string[]): ArchiveRemoval[];
  removed(key: string): void;
  /** What was stored for an item that is gone is to be removed, again if it was removed before. */
  discard(item: Pick<ArchiveItem, "key" | "size">): void;
  totals(): ArchiveTotals;
}

export interface ItemRef {
  sha256: string;
  key: string;
}

export interface EvictionPosition {
  /** When it was used last, in milliseconds since 1970. */
  usedAt: number;
  sha256: string;
}
