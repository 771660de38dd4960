/**
 * How finished uploads become durable, many at once. A crash right after a step leaves:
 *
 *     1  the incoming files are synced      an unfinished stream, complete; recovery keeps it, the client resumes
 *     2  the rows say "sealed" (not synced) the same; after a power cut perhaps the state before step 1
 *     3  the files are renamed to objects   a sealed row with its object: recovery finishes the stream. After a
 *                                           power cut the row may be older: recovery removes row and object
 *     4  the object folders are synced      the same
 *     5  the rows say "finished" (synced)   a finished stream, not acknowledged; perhaps a leftover of step 6
 *     6  leftovers are removed              (uploads whose content was there already) a finished stream
 *     7  the uploads are acknowledged       a finished stream
 *
 * Recovery is in recover.ts. A failure of one file in 1 or 3 fails that upload alone; a failure of 4 or 5 fails all
 * of the group, and `settle` of recover.ts brings each to one side when it is next asked for.
 */
import { failpoint } from "../../base/failpoint.ts";
import type { Catalog, SealedStream } from "./catalog.ts";
import { type CacheLayout, removeFile, syncFile } from "../layout.ts";
import { installObject, syncObjectFolders } from "./objects.ts";

export interface CommitItem extends SealedStream {
  /** The upload's file in incoming/, closed. */
  key: string;
}

/** Bytes by which the objects grew: 0 for content that was there already. Or why this upload failed. */
export type CommitOutcome = { addedBytes: number } | { error: unknown };

/** Commits a group; resolves with an outcome for each item, in their order. Never rejects. */
export async function commitGroup(
  layout: CacheLayout,
  catalog: Catalog,
  items: CommitItem[],
  at: number,
): Promise<CommitOutcome[]> {
  const outcomes = new Map<CommitItem, CommitOutcome>();
  const going = () => items.filter((item) => !outcomes.has(item));
  const failAll = (error: unknown) => going().forEach((item) => outcomes.set(item, { error }));

  await Promise.all(
    items.map((item) =>
      syncFile(layout.incomingPath(item.key)).catch((error: unknown) => void outcomes.set(item, { error })),
    ),
  );
  try {
    failpoint("commit.1");
    catalog.transaction(() => going().forEach((item) => catalog.seal(item, at)), false);
    failpoint("commit.2");
    const installed = installAll(layout, going(), outcomes);
    failpoint("commit.3");
    syncObjectFolders(installed.touched);
    failpoint("commit.4");
    catalog.transaction(() => going().forEach((item) => catalog.finish(item.streamId, at)), true);
    failpoint("commit.5");
    for (const item of going()) {
      if (!installed.moved.has(item)) removeFile(layout.incomingPath(item.key));
      outcomes.set(item, { addedBytes: installed.moved.has(item) ? item.size : 0 });
    }
    failpoint("commit.6");
  } catch (error) {
    failAll(error);
  }
  return items.map((item) => outcomes.get(item)!);
}

function installAll(
  layout: CacheLayout,
  items: CommitItem[],
  outcomes: Map<CommitItem, CommitOutcome>,
): { moved: Set<CommitItem>; touched: Set<string> } {
  const moved = new Set<CommitItem>();
  const touched = new Set<string>();
  for (const item of items) {
    try {
      const path = layout.incomingPath(item.key);
      if (installObject(layout, path, item.sha256, item.size, touched)) moved.add(item);
    } catch (error) {
      outcomes.set(item, { error });
    }
  }
  return { moved, touched };
}
