/**
 * Makes the bytes of uploads in progress durable, many uploads at once:
 *
 *     1  the files and their folder are synced; for many files, the file system as a whole
 *     2  the rows record how many bytes are durable (synced, which also makes the rows themselves durable)
 *
 * A failed sync makes the upload distrusted: its bytes past the durable ones no longer count.
 *
 * Only after step 2 may the server acknowledge the bytes. A crash before that leaves the previous checkpoint. After a
 * crash of the process the file's size decides how much is kept, since the file may have grown past its row. After a
 * power cut the row decides, since bytes past it may be lost (recover.ts).
 */
import { errorNumber, toWavecacheError, WavecacheError } from "../../base/errors.ts";
import { maxFilesSyncedSingly } from "../../base/limits/streams.ts";
import type { Catalog, StreamRow } from "./catalog.ts";
import { type CacheLayout, isMissing, syncFile, syncFolder } from "../layout.ts";
import type { SyncFileSystem } from "../sync-file-system.ts";

export interface CheckpointItem {
  streamId: string;
  key: string;
  /** Bytes in the file. */
  size: number;
}

/** Why an upload's bytes are not durable: a number of `base/errors.ts`, and a detail for the log. */
export interface CheckpointFailure {
  errorNumber: number;
  detail: string;
}

/** Null if the bytes are durable, or if the upload has ended and its file has moved. */
export type CheckpointOutcome = CheckpointFailure | null;

export async function checkpointGroup(
  layout: CacheLayout,
  catalog: Pick<Catalog, "transaction" | "find" | "touch" | "markDurable" | "distrust">,
  syncFileSystem: SyncFileSystem,
  items: CheckpointItem[],
  at: number,
): Promise<CheckpointOutcome[]> {
  const outcomes = await syncFiles(layout, syncFileSystem, items).catch((error: unknown) =>
    items.map(() => failureOf(error)),
  );
  catalog.transaction(() => {
    items.forEach(({ streamId, key, size }, index) => {
      if (outcomes[index] !== null) return catalog.distrust(streamId, key);
      if (isDistrusted(catalog.find(streamId), key)) outcomes[index] = failedBefore(streamId);
      catalog.touch(streamId, size, at);
      catalog.markDurable(streamId, key, size);
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

/** A missing file is no failure: the upload has been finished or removed in the meantime. */
async function syncIncoming(path: string): Promise<CheckpointOutcome> {
  try {
    await syncFile(path);
    return null;
  } catch (error) {
    if (isMissing(error)) return null;
    return failureOf(error);
  }
}

function isDistrusted(row: StreamRow | undefined, key: string): boolean {
  return row !== undefined && row.key === key && row.epoch < 0;
}

function failedBefore(streamId: string): CheckpointFailure {
  return failureOf(new WavecacheError("STORE_FAILED", `an earlier sync of ${streamId} has failed`));
}

function failureOf(error: unknown): CheckpointFailure {
  const { code, detail } = toWavecacheError(error);
  return { errorNumber: errorNumber(code), detail: detail ?? "" };
}
