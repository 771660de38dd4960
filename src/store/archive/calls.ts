/** The calls to the keeper about the archive; see keeper-calls.ts. */
import type {
  ArchiveItem,
  FoundItem,
  ArchiveRemoval,
  ArchiveTotals,
  EvictableObject,
  EvictionPosition,
  ItemRef,
} from "./catalog.ts";

export interface ArchiveCalls {
  /** Queues objects of the time without an archive. Results in whether there may be more. */
  archiveFill: [args: { limit: number; at: number }, result: boolean];
  /** What is to be stored, apart from what is being stored already. */
  archiveDue: [args: { limit: number; exceptKeys: string[] }, result: ArchiveItem[]];
  /** An upload in parts was begun, or ended without an object. */
  archiveBegun: [args: { item: ItemRef; uploadId: string | null }, result: null];
  /** The item is due again after so long. */
  archiveFailed: [args: { item: ItemRef; retryMs: number }, result: null];
  /** Results in whether the item is still there; otherwise its key is to be removed. */
  archived: [args: { item: ArchiveItem }, result: boolean];
  /** Uploads in parts that were begun, by key. */
  archiveUploads: [args: { after: string }, result: { key: string; uploadId: string }[]];
  /**
   * The archive does not have some content as it was. It is stored again if it is here; otherwise its streams are marked as
   * damaged. Results in those that were not marked before, and in the names of recordings that were there alone.
   */
  archiveLost: [args: { sha256: string }, result: { streamIds: string[]; recordings: string[] }];
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
  /** Removes local copies of archived objects. Results in those that it removed. */
  evict: [args: { sha256s: string[] }, result: { sha256: string; size: number }[]];
  /** A file has the whole audio of an evicted object, verified. Results in whether it is the object now. */
  localize: [args: { sha256: string; path: string }, result: boolean];
}

/** They wait for nothing. */
export type QuickArchiveCall = Exclude<keyof ArchiveCalls, "evict" | "localize">;
