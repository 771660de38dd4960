/**
 * Recovery, at each start of the server. It does what must be done before the first call, whose cost does not grow with
 * what is stored:
 *
 *     1  a new run begins: no unfinished row counts as in step with its file before it is settled
 *     2  sealed rows are settled (settle.ts): there are only as many as were in the commit that a crash cut off
 *
 * Both are one synced transaction. If a crash interrupts it, the next start does the same again. Everything that
 * needs a look at each row or file is left to the background check (check.ts).
 */
import type { Boot } from "../../base/system/boot.ts";
import { noteNewFolder } from "../check/folder-entry.ts";
import { type CacheLayout, sizeOfFile } from "../layout.ts";
import type { Catalog } from "./catalog.ts";
import { hasObjects } from "./objects.ts";
import { settle } from "./settle.ts";

export interface Recovery {
  /** Streams whose interrupted commit was completed. */
  completed: number;
  /** Sealed streams without a file: a power cut has undone both names. */
  removed: number;
}

/** Whether there are objects and no catalog: a start without their rows would take all of them for orphans. */
export function isCatalogLost(layout: CacheLayout): boolean {
  return (sizeOfFile(layout.catalog) ?? 0) === 0 && hasObjects(layout);
}

export function recover(layout: CacheLayout, catalog: Catalog, boot: Boot, at: number): Recovery {
  const recovery = { completed: 0, removed: 0 };
  catalog.transaction(() => {
    catalog.startRun(boot);
    catalog.events.startRun(at);
    noteNewFolder(layout, catalog);
    for (const row of catalog.sealed()) {
      const settled = settle(layout, catalog, row, at).row;
      if (settled === undefined) recovery.removed += 1;
      else if (settled.state === "finished") recovery.completed += 1;
    }
  }, true);
  return recovery;
}
