/**
 * Works off what other nodes have changed about streams of this one. A crash after any step repeats it:
 *
 *     1  the files are unlinked
 *     2  the journal knows it (synced)    or a catalog that is built anew would bring the streams back
 *     3  the tasks go
 */
import { failpoint } from "../../base/failpoint.ts";
import { finishOf, type JournalEntry } from "../journal/entry.ts";
import type { Journal } from "../journal/journal.ts";
import { type CacheLayout, removeFile } from "../layout.ts";
import type { Catalog } from "../streams/catalog.ts";
import { removeObject } from "../streams/objects.ts";
import type { StreamTask } from "./tasks.ts";

export interface TaskStore {
  layout: CacheLayout;
  catalog: Pick<Catalog, "find" | "hasObject" | "tasks" | "transaction">;
  journal: Pick<Journal, "append" | "sync">;
}

export interface WorkedOffStreams {
  /** Removed or changed: what is known of them is wrong. */
  streamIds: string[];
  /** Objects that went. */
  sha256s: string[];
  isLast: boolean;
}

/** Must not interleave with a commit or an adoption of the same object. */
export async function workOffStreams(store: TaskStore, limit: number): Promise<WorkedOffStreams> {
  const { catalog, journal } = store;
  const tasks = catalog.tasks.ofStreams(limit);
  const sha256s = tasks.flatMap((task) => unlink(store, task) ?? []);
  failpoint("tasks.1");
  journal.append(tasks.flatMap((task) => entryOf(store, task) ?? []));
  await journal.sync();
  failpoint("tasks.2");
  catalog.transaction(() => catalog.tasks.done(tasks), true);
  const streamIds = [...new Set(tasks.map(({ streamId }) => streamId))];
  return { streamIds, sha256s, isLast: tasks.length < limit };
}

/** Returns the object that went, if one did. */
function unlink({ layout, catalog }: TaskStore, { kind, key, sha256 }: StreamTask): string | undefined {
  if (kind === "upload") removeFile(layout.incomingPath(key));
  if (kind !== "stream" || sha256 === null || catalog.hasObject(sha256, "")) return undefined;
  removeObject(layout, sha256);
  return sha256;
}

function entryOf({ catalog }: TaskStore, { kind, streamId, key }: StreamTask): JournalEntry | undefined {
  if (kind === "stream") return { remove: { streamId, key } };
  const row = kind === "tags" ? catalog.find(streamId) : undefined;
  if (row?.state !== "finished" || row.key !== key || row.otherNode !== undefined) return undefined;
  return finishOf({ ...row, sha256: row.sha256!, finishedAt: row.finishedAt! });
}
