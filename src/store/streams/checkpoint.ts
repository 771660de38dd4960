/**
 * Makes what uploads have in their files durable while they go on, many at once:
 *
 *     1  the files are synced, and the folder with their names; where they are many, the file system as a whole
 *     2  the rows say how far each one is (synced, and with them that the streams exist)
 *
 * Only after that may a client be told. A crash before leaves what there was. The size of a file stays the truth about
 * what is kept of an upload, since more than the row says may have reached it; after a power cut the row is (recover.ts).
 */
import { errorNumber, toWavecacheError } from "../../base/errors.ts";
import { maxFilesSyncedSingly } from "../../base/limits/streams.ts";
import type { Catalog } from "./catalog.ts";
import { type CacheLayout, isMissing, syncFile, syncFolder } from "../layout.ts";
import type { SyncFileSystem } from "../sync-file-system.ts";

export interface CheckpointItem {
  streamId: string;
  key: string;
  /** Bytes that are in the file. */
  size: number;
}

/** Why an upload's bytes are not durable: a number of `base/errors.ts`, and what the log says of it. */
export interface CheckpointFailure {
  errorNumber: number;
  detail: string;
}

/** Null: they are durable, or the upload has ended and its file is elsewhere. */
export type CheckpointOutcome = CheckpointFailure | null;

export async function checkpointGroup(
  layout: CacheLayout,
  catalog: Pick<Catalog, "transaction" | "touch" | "secure">,
  syncFileSystem: SyncFileSystem,
  items: CheckpointItem[],
  at: number,
): Promise<CheckpointOutcome[]> {
  const outcomes = await syncFiles(layout, syncFileSystem, items);
  catalog.transaction(() => {
    items.forEach(({ streamId, key, size }, index) => {
      if (outcomes[index] !== null) return;
      catalog.touch(streamId, size, at);
      catalog.secure(streamId, key, size);
    });
  }, true);
  return outcomes;
}

async function syncFiles(
  layout: CacheLayout,
  syncFileSystem: SyncFileSystem,
  items: CheckpointItem[],
): Promise<CheckpointOutcome[]> {
  if (items.length > maxFilesSyncedSingly && (await syncFileSystem(layout.incoming))) {
    return items.map(() => null);
  }
  const outcomes = await Promise.all(items.map(({ key }) => syncIncoming(layout.incomingPath(key))));
  syncFolder(layout.incoming);
  return outcomes;
}

/** The file of an upload that has been finished or removed meanwhile is not there any more. */
async function syncIncoming(path: string): Promise<CheckpointOutcome> {
  try {
    await syncFile(path);
    return null;
  } catch (error) {
    if (isMissing(error)) return null;
    const { code, detail } = toWavecacheError(error);
    return { errorNumber: errorNumber(code), detail: detail ?? "" };
  }
}
