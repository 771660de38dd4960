/**
 * The thread that waits while a file system goes to the disk: that may take seconds, and the keeper, which starts
 * it, has catalog calls to answer meanwhile.
 */
import { type BlockingSync, loadSyncfs } from "../src/store/sync-file-system.ts";

declare const self: {
  onmessage: ((event: { data: string | null }) => void) | null;
  postMessage(answer: SyncAnswer): void;
};

/** `done`: false where this system has no such call. */
export type SyncAnswer = { done: boolean } | { failure: string };

const sync = loadSyncfs();

/** A folder is synced; null ends the thread. */
self.onmessage = ({ data: folder }) => {
  if (folder === null) self.onmessage = null;
  else self.postMessage(answer(sync, folder));
};

function answer(sync: BlockingSync | undefined, folder: string): SyncAnswer {
  try {
    sync?.(folder);
    return { done: sync !== undefined };
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}
