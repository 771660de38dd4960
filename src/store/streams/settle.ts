/**
 * Brings the row of a stream that is not finished into step with its file. A start leaves that to the first use of the
 * row, or to the background check, so that its cost does not grow with the number of unfinished streams.
 *
 *     row         on disk                     becomes
 *     unfinished  its incoming file           unfinished, with the size of the file
 *     unfinished  nothing                     removed, unless the archive has parts of it: then it is unfinished, and
 *                                             its file comes from there at the resume
 *     sealed      its incoming file           unfinished, complete
 *     sealed      no incoming file, object    finished
 *     sealed      neither                     as unfinished without a file
 *
 * After a reboot of the operating system (a power cut, a panic) or a failed sync, bytes that were not synced may be
 * missing or damaged, whatever the file's size is. Then the file is first truncated to its durable bytes.
 */
import * as fs from "node:fs";
import { storedBytes } from "../archive/parts/catalog.ts";
import { rowFinished, streamRemoved } from "../events/facts.ts";
import { type CacheLayout, sizeOfFile } from "../layout.ts";
import type { Catalog, StreamRow } from "./catalog.ts";
import { syncObjectFolders } from "./objects.ts";

export interface Settlement {
  /** Undefined if the row was removed. */
  row: StreamRow | undefined;
  /** Bytes truncated from the file. */
  cutBytes: number;
}

/**
 * Settles a row that is not finished. Nobody may have its file open for writing, unless an earlier run of this boot has
 * opened it and the row is not distrusted.
 */
export function settle(layout: CacheLayout, catalog: Catalog, row: StreamRow, at: number): Settlement {
  const cutBytes = catalog.trustIn(row) === "durable bytes" ? cutToDurable(layout, row) : 0;
  const size = sizeOfFile(layout.incomingPath(row.key));
  if (size === undefined) return { row: settleWithoutFile(layout, catalog, row, at), cutBytes };
  if (row.state === "sealed") catalog.unseal(row.streamId, size, row.updatedAt);
  else if (size !== row.size || catalog.trustIn(row) !== "row") catalog.settle(row.streamId, size);
  return { row: catalog.find(row.streamId), cutBytes };
}

function cutToDurable(layout: CacheLayout, row: StreamRow): number {
  const path = layout.incomingPath(row.key);
  const unsyncedBytes = (sizeOfFile(path) ?? 0) - row.durableBytes;
  if (unsyncedBytes <= 0) return 0;
  fs.truncateSync(path, row.durableBytes);
  return unsyncedBytes;
}

function settleWithoutFile(
  layout: CacheLayout,
  catalog: Catalog,
  row: StreamRow,
  at: number,
): StreamRow | undefined {
  if (row.state === "sealed" && sizeOfFile(layout.objectPath(row.sha256!)) === row.size) {
    // The crash may have happened before step 4 of the commit, and "finished" promises synced folders.
    syncObjectFolders([layout.objectFolder(row.sha256!), layout.objects]);
    catalog.finish(row.streamId, at);
    rowFinished(catalog, row);
  } else if (hasParts(catalog, row.streamId)) {
    if (row.state === "sealed") catalog.unseal(row.streamId, 0, row.updatedAt);
    else catalog.settle(row.streamId, 0);
  } else {
    catalog.remove(row.streamId);
    streamRemoved(catalog.events, row, "lost");
  }
  return catalog.find(row.streamId);
}

function hasParts({ parts, archive }: Catalog, streamId: string): boolean {
  const stored = archive.isOn ? parts.find(streamId) : undefined;
  return stored !== undefined && storedBytes(stored) > 0;
}
