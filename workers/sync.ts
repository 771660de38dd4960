/**
 * The thread that syncs file systems. A sync may take seconds; the keeper, which starts this thread, answers catalog calls
 * meanwhile.
 */
import { type BlockingSync, loadSyncfs } from "../src/store/sync-file-system.ts";

declare const self: {
  onmessage: ((event: { data: string | null }) => void) | null;
  postMessage(answer: SyncAnswer): void;
};

/** `done` is false if the operating system has no such call. */
export type SyncAnswer = { done: boolean } | { failure: string };

const sync = loadSyncfs();

/** Syncs the file system of a folder; null ends the thread. */
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
