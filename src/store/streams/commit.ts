/**
 * How finished uploads become durable, a group at a time. A crash right after a step leaves:
 *
 *     1  the incoming files and the        a complete unfinished stream, which the client resumes. Its entry in the
 *        journal are synced              journal does not count without an object
 *     2  the rows say "sealed" (not      the same; a power cut may undo the row, back to unfinished
 *        synced)
 *     3  the files are renamed to        a sealed row with its object: recovery finishes the stream. A power cut may undo
 *        objects                         the row alone: then the check enters the stream that the journal knows
 *     4  the object folders are synced   the same
 *     5  the rows say "finished"         a finished stream without an acknowledgement
 *        (synced)
 *     6  the uploads are acknowledged    a finished stream
 *
 * An object that exists already is replaced in step 3: the upload's own file was hashed just now, and the old one may be
 * damaged.
 *
 * Recovery is in recover.ts, the check in check/check.ts. If one file fails in step 1 or 3, only its upload fails. A
 * file whose sync has failed, here or before, is distrusted: its upload resumes at its durable bytes. If the journal
 * fails, or step 4 or 5, the whole group fails; settle.ts then brings each row into step with the disk at its next use.
 */
import { WavecacheError } from "../../base/errors.ts";
import { failpoint } from "../../base/failpoint.ts";
import { notePosition } from "../check/journal-pass.ts";
import { rowFinished } from "../events/facts.ts";
import { finishOf } from "../journal/entry.ts";
import type { CommitJournal } from "../journal/journal.ts";
import { type CacheLayout, syncFile } from "../layout.ts";
import type { Catalog, SealedStream } from "./catalog.ts";
import { installObject, syncObjectFolders } from "./objects.ts";

export interface CommitItem extends SealedStream {
  /** Name of the upload's file in incoming/, which is closed. */
  key: string;
}

/** The bytes that a new object added, 0 if its content existed, or why this upload failed. */
export type CommitOutcome = { addedBytes: number } | { error: unknown };

export interface CommitStore {
  layout: CacheLayout;
  catalog: Catalog;
  journal: CommitJournal;
}

/** Commits a group; resolves with an outcome for each item, in their order. Never rejects. */
export async function commitGroup(
  store: CommitStore,
  items: CommitItem[],
  at: number,
): Promise<CommitOutcome[]> {
  const { layout, catalog } = store;
  const outcomes = new Map<CommitItem, CommitOutcome>();
  const pending = () => items.filter((item) => !outcomes.has(item));
  const failAll = (error: unknown) => pending().forEach((item) => outcomes.set(item, { error }));

  const syncs = items.map((item) =>
    syncFile(layout.incomingPath(item.key)).catch((error: unknown) => {
      outcomes.set(item, { error });
      catalog.distrust(item.streamId, item.key);
    }),
  );
  const step1 = await Promise.allSettled([writeJournal(store, items, at), ...syncs]);
  try {
    for (const each of step1) if (each.status === "rejected") throw each.reason;
    failpoint("commit.1");
    catalog.transaction(() => {
      for (const item of pending()) {
        if (!catalog.seal(item, at)) outcomes.set(item, { error: notSealed(catalog, item) });
      }
    }, false);
    failpoint("commit.2");
    const touched = installAll(layout, pending(), outcomes);
    failpoint("commit.3");
    syncObjectFolders(touched);
    failpoint("commit.4");
    const finished = catalog.transaction(() => {
      notePosition(catalog, store.journal.position);
      return pending().map((item) => finish(catalog, item, at));
    }, true);
    for (const { item, outcome } of finished) outcomes.set(item, outcome);
    failpoint("commit.5");
  } catch (error) {
    failAll(error);
  }
  return items.map((item) => outcomes.get(item)!);
}

/** All of it in one write and one sync, beside those of the files. */
async function writeJournal(
  { catalog, journal }: CommitStore,
  items: CommitItem[],
  at: number,
): Promise<void> {
  const rows = items.map((item) => ({ item, row: catalog.find(item.streamId) }));
  const entries = rows.flatMap(({ item, row }) => {
    if (row === undefined) return [];
    const { createdAt, metadata, account } = row;
    return finishOf({ ...item, createdAt, metadata, account, audio: null, finishedAt: at });
  });
  journal.append(entries);
  await journal.sync();
}

/**
 * Somebody has resumed the upload elsewhere, its row is gone, or an earlier sync of the file has failed, and this one may
 * have succeeded without the bytes.
 */
function notSealed(catalog: CommitStore["catalog"], { streamId, key }: CommitItem): WavecacheError {
  const row = catalog.find(streamId);
  const isTakenOver = row !== undefined && (row.key !== key || row.otherNode !== undefined);
  if (isTakenOver) return new WavecacheError("STREAM_TAKEN_OVER");
  return new WavecacheError("STORE_FAILED", `an earlier sync of ${streamId} has failed, or it was removed`);
}

/** Returns the touched folders. */
function installAll(
  layout: CacheLayout,
  items: CommitItem[],
  outcomes: Map<CommitItem, CommitOutcome>,
): Set<string> {
  const touched = new Set<string>();
  for (const item of items) {
    try {
      installObject(layout, layout.incomingPath(item.key), item.sha256, touched);
    } catch (error) {
      outcomes.set(item, { error });
    }
  }
  return touched;
}

function finish(
  catalog: Catalog,
  item: CommitItem,
  at: number,
): { item: CommitItem; outcome: CommitOutcome } {
  const addedBytes = catalog.hasFinished(item.sha256) ? 0 : item.size;
  catalog.finish(item.streamId, at);
  const isFinished = rowFinished(catalog, item);
  catalog.markDamaged(item.sha256, false);
  return { item, outcome: isFinished ? { addedBytes } : { error: new WavecacheError("STREAM_TAKEN_OVER") } };
}
