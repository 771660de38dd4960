/** The calls to the keeper about the archive; see keeper-calls.ts. */
import type { PartedUpload, PartsRef, StoredUpload, UploadPart } from "./parts/catalog.ts";
import type {
  ArchiveItem,
  FoundItem,
  ArchiveRemoval,
  ArchiveTotals,
  EvictableObject,
  EvictableRecording,
  EvictionPosition,
  ItemRef,
  RecordingPosition,
} from "./catalog.ts";

/** An item, and the parts of it that the archive has. */
export interface QueuedItem extends ArchiveItem {
  parts: UploadPart[];
}

export interface ArchiveCalls {
  /** Queues objects of the time without an archive. Results in whether there may be more. */
  archiveFill: [args: { limit: number; at: number }, result: boolean];
  /** What is to be stored, apart from what is being stored already. */
  archiveDue: [args: { limit: number; exceptKeys: string[] }, result: QueuedItem[]];
  /** An upload in parts was begun, or ended without an object. */
  archiveBegun: [args: { item: ItemRef; uploadId: string | null }, result: null];
  /** The item is due again after so long. */
  archiveFailed: [args: { item: ItemRef; retryMs: number }, result: null];
  /** Results in whether the item is still there; otherwise its key is to be removed. */
  archived: [args: { item: ArchiveItem }, result: boolean];
  /** Uploads in parts that were begun by any node, by key. */
  archiveUploads: [args: { after: string }, result: { key: string; uploadId: string }[]];
  /**
   * The archive does not have some content as it was. It is stored again if it is here; otherwise its streams are marked as
   * damaged. Results in those that were not marked before, and in the names of recordings that were there alone.
   */
  archiveLost: [args: { sha256: string }, result: { streamIds: string[]; recordings: string[] }];
  /** What the archive has of an unfinished upload; null if it has nothing. */
  partsFind: [args: { streamId: string }, result: StoredUpload | null];
  /** An upload in parts was begun. Results in whether this node still has the upload. */
  partsBegin: [args: { upload: PartedUpload; ref: PartsRef }, result: boolean];
  /** The archive has a part. Results in whether this node still has the upload. */
  partsRecord: [args: { upload: PartedUpload; ref: PartsRef; part: UploadPart }, result: boolean];
  /** The archive has lost the parts. Results in whether this node still has the upload. */
  partsForget: [args: { upload: PartedUpload }, result: boolean];
  /**
   * The file of the upload has the first `count` parts of the object `baseKey`; without parts the archive has lost them.
   * Results in whether this node still has the upload.
   */
  partsRestored: [
    args: { upload: PartedUpload; baseKey: string; count: number; bytes: number; at: number },
    result: boolean,
  ];
  /** Uploads in parts of unfinished streams of any node, by stream id. */
  partsUploads: [args: { after: string }, result: { streamId: string; uploadId: string }[]];
  archiveRemovals: [args: { limit: number; exceptKeys: string[] }, result: ArchiveRemoval[]];
  archiveRemoved: [args: { key: string }, result: null];
  archiveTotals: [args: null, result: ArchiveTotals];
  /** Of this node, or else one that another node has in the archive. */
  archiveItem: [args: { sha256: string }, result: FoundItem | null];
  archiveItemsAfter: [args: { sha256: string; limit: number }, result: ArchiveItem[]];
  evictable: [
    args: { after: EvictionPosition; limit: number },
    result: (EvictableObject & EvictionPosition)[],
  ];
  evictableRecordings: [
    args: { after: RecordingPosition; limit: number },
    result: (EvictableRecording & RecordingPosition)[],
  ];
  /** Removes local copies of archived objects. Results in those that it removed. */
  evict: [args: { sha256s: string[] }, result: { sha256: string; size: number }[]];
  /** A file has the whole audio of an evicted object, verified. Results in whether it is the object now. */
  localize: [args: { sha256: string; path: string }, result: boolean];
}

/** They wait for nothing. */
export type QuickArchiveCall = Exclude<keyof ArchiveCalls, "evict" | "localize">;
