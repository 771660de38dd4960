/**
 * What a start does with what an earlier run left. Afterwards every row has its file, every file has its row, and
 * no row says "sealed".
 *
 * If the system was started anew since (a power cut, a panic), what had not been forced to the disk may be missing or
 * damaged, whatever the file's size says: first of all, files in incoming/ are cut to what is durable of them. Then
 *
 *     row         on disk                     becomes
 *     unfinished  its incoming file           unfinished, of the size that the file has
 *     unfinished  nothing                     removed
 *     sealed      its incoming file           unfinished, complete
 *     sealed      no incoming file, object    finished
 *     sealed      neither                     removed
 *     finished    its object                  finished (a leftover in incoming/ is removed)
 *     finished    nothing, or another size    stays and is reported: damage from outside
 *     none        a file in incoming/ or objects-v1/   removed
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { type Boot, isSameBoot } from "../../base/boot.ts";
import type { Catalog, StreamRow } from "./catalog.ts";
import { type CacheLayout, removeFile, sizeOfFile } from "../layout.ts";
import { listObjectFiles, syncObjectFolders } from "./objects.ts";

export interface Recovery {
  /** Unfinished uploads that can be resumed, and their bytes. */
  resumable: number;
  resumableBytes: number;
  /** Streams whose commit had come so far that it was completed. */
  completed: number;
  /** Rows and files that were removed. */
  removed: number;
  /** Bytes of uploads that were cut off, since a new start of the system may have lost them. */
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
    // With the rows: if this start does not come so far, the next one cuts again.
    catalog.setBoot(boot);
  }, true);
  removeUnknown(layout, found, recovery);
  return recovery;
}

/** Returns by how many bytes. */
function cutToDurable(layout: CacheLayout, row: StreamRow): number {
  if (row.state === "finished") return 0;
  const path = layout.incomingPath(row.key);
  const surplus = (sizeOfFile(path) ?? 0) - row.durable;
  if (surplus <= 0) return 0;
  fs.truncateSync(path, row.durable);
  return surplus;
}

/** Files that a row accounts for. */
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
 * Brings a row that is not finished to what the disk says of it: unfinished with the size of its file, finished, or
 * removed (undefined).
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
    else if (size !== row.size || size < row.durable) catalog.touch(row.streamId, size, row.updatedAt);
    return { ...row, state: "unfinished", size, durable: Math.min(size, row.durable), sha256: null };
  }
  if (row.state === "sealed" && sizeOfFile(layout.objectPath(row.sha256!)) === row.size) {
    // The crash may have come before the folders were synced, and "finished" promises that they are.
    syncObjectFolders([layout.objectFolder(row.sha256!), layout.objects]);
    catalog.finish(row.streamId, at);
    return { ...row, state: "finished", updatedAt: at, finishedAt: at };
  }
  catalog.remove(row.streamId);
  return undefined;
}

function removeUnknown(layout: CacheLayout, found: Found, recovery: Recovery): void {
  for (const name of fs.readdirSync(layout.incoming)) {
    if (!found.keys.has(name) && removeFile(join(layout.incoming, name))) recovery.removed += 1;
  }
  for (const [folder, name] of listObjectFiles(layout)) {
    if (found.objects.has(name) && name.startsWith(folder)) continue;
    if (removeFile(join(layout.objects, folder, name))) recovery.removed += 1;
  }
}
