/**
 * Recovery, at each start of the server. Afterwards every row has its file, every file has its row, and no row is
 * "sealed".
 *
 *     1  after a reboot of the operating system (a power cut, a panic), unsynced bytes may be missing or damaged,
 *        whatever the file's size is: files in incoming/ are truncated to their durable bytes
 *     2  the rows are brought into step with the disk, by the table below (one synced transaction, with the boot id)
 *     3  orphans are removed: files that no row accounts for
 *
 *     row         on disk                     becomes
 *     unfinished  its incoming file           unfinished, with the size of the file
 *     unfinished  nothing                     removed
 *     sealed      its incoming file           unfinished, complete
 *     sealed      no incoming file, object    finished
 *     sealed      neither                     removed
 *     finished    its object                  finished (a duplicate in incoming/ is an orphan)
 *     finished    nothing, or another size    finished, and reported: damage from outside
 *     none        a file in incoming/ or objects-v1/   removed as an orphan
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { type Boot, isSameBoot } from "../../base/boot.ts";
import type { Catalog, StreamRow } from "./catalog.ts";
import { type CacheLayout, removeFile, sizeOfFile } from "../layout.ts";
import { listObjectFiles, syncObjectFolders } from "./objects.ts";

export interface Recovery {
  /** Unfinished uploads that clients can resume, and their bytes. */
  resumable: number;
  resumableBytes: number;
  /** Streams whose interrupted commit was completed. */
  completed: number;
  /** Removed rows and files. */
  removed: number;
  /** Bytes truncated from uploads, because the operating system rebooted before they were synced. */
  cutBytes: number;
  /** Finished streams whose object is missing or has another size. */
  damaged: string[];
}

export function recover(layout: CacheLayout, catalog: Catalog, boot: Boot, at: number): Recovery {
  const found: Found = { keys: new Set(), objects: new Set() };
  const recovery: Recovery = {
    resumable: 0,
    resumableBytes: 0,
    completed: 0,
    removed: 0,
    cutBytes: 0,
    damaged: [],
  };
  const before = catalog.boot();
  const isRestarted = before !== undefined && !isSameBoot(before, boot);
  catalog.transaction(() => {
    for (const row of catalog.rows()) {
      if (isRestarted) recovery.cutBytes += cutToDurable(layout, row);
      const settled = row.state === "finished" ? row : settle(layout, catalog, row, at);
      if (row.state === "sealed" && settled?.state === "finished") recovery.completed += 1;
      count(layout, settled, found, recovery);
    }
    // In the same transaction as the rows: if this recovery is interrupted, the next one truncates again.
    catalog.setBoot(boot);
  }, true);
  removeOrphans(layout, found, recovery);
  return recovery;
}

/** Truncates the file of an unfinished stream. Returns how many bytes it lost. */
function cutToDurable(layout: CacheLayout, row: StreamRow): number {
  if (row.state === "finished") return 0;
  const path = layout.incomingPath(row.key);
  const unsyncedBytes = (sizeOfFile(path) ?? 0) - row.durableBytes;
  if (unsyncedBytes <= 0) return 0;
  fs.truncateSync(path, row.durableBytes);
  return unsyncedBytes;
}

/** Files that some row accounts for. */
interface Found {
  keys: Set<string>;
  objects: Set<string>;
}

function count(layout: CacheLayout, row: StreamRow | undefined, found: Found, recovery: Recovery): void {
  if (row === undefined) {
    recovery.removed += 1;
  } else if (row.state === "finished") {
    found.objects.add(row.sha256!);
    if (sizeOfFile(layout.objectPath(row.sha256!)) !== row.size) recovery.damaged.push(row.streamId);
  } else {
    found.keys.add(row.key);
    recovery.resumable += 1;
    recovery.resumableBytes += row.size;
  }
}

/**
 * Brings a row that is not finished into step with the disk. It becomes unfinished with the size of its file, or
 * finished, or is removed; then the result is undefined.
 */
export function settle(
  layout: CacheLayout,
  catalog: Catalog,
  row: StreamRow,
  at: number,
): StreamRow | undefined {
  const size = sizeOfFile(layout.incomingPath(row.key));
  if (size !== undefined) {
    if (row.state === "sealed") catalog.unseal(row.streamId, size, row.updatedAt);
    else if (size !== row.size || size < row.durableBytes) catalog.touch(row.streamId, size, row.updatedAt);
    const durableBytes = Math.min(size, row.durableBytes);
    return { ...row, state: "unfinished", size, durableBytes, sha256: null };
  }
  if (row.state === "sealed" && sizeOfFile(layout.objectPath(row.sha256!)) === row.size) {
    // The crash may have happened before step 4 of the commit, and "finished" promises synced folders.
    syncObjectFolders([layout.objectFolder(row.sha256!), layout.objects]);
    catalog.finish(row.streamId, at);
    return { ...row, state: "finished", updatedAt: at, finishedAt: at };
  }
  catalog.remove(row.streamId);
  return undefined;
}

function removeOrphans(layout: CacheLayout, found: Found, recovery: Recovery): void {
  for (const name of fs.readdirSync(layout.incoming)) {
    if (!found.keys.has(name) && removeFile(join(layout.incoming, name))) recovery.removed += 1;
  }
  for (const [folder, name] of listObjectFiles(layout)) {
    if (found.objects.has(name) && name.startsWith(folder)) continue;
    if (removeFile(join(layout.objects, folder, name))) recovery.removed += 1;
  }
}
