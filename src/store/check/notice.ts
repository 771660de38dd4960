/** What the keeper tells of its own accord: the work that it does in the background. */
import type { Totals } from "../streams/catalog.ts";

export interface CheckFigures {
  /** Unfinished streams that were brought into step with their files. */
  settledRows: number;
  /** Unfinished streams without a file, whose rows were removed. */
  removedRows: number;
  /** Bytes truncated from uploads, because the system rebooted before they were synced. */
  cutBytes: number;
  /** Objects of finished streams that were looked at. */
  checkedObjects: number;
  /** Finished streams whose object is missing or has another size. */
  damagedStreams: number;
  /** Finished streams without a row that the journal knows: their rows are back. */
  enteredStreams: number;
  /** Finished streams with a row that the journal knows to be removed: their rows are gone. */
  forgottenStreams: number;
  /** Files that no row accounts for, set aside in lost+found. */
  orphanFiles: number;
  orphanBytes: number;
}

export interface StoreNotice {
  /** How the totals have changed since the last notice, other than by the answer to a call. */
  drift: Totals;
  check: {
    state: "running" | "done" | "failed";
    figures: CheckFigures;
    /** Since the last notice: streams that were found damaged, and what went wrong with the check itself. */
    damaged: string[];
    failures: string[];
  };
}

export function noFigures(): CheckFigures {
  return {
    settledRows: 0,
    removedRows: 0,
    cutBytes: 0,
    checkedObjects: 0,
    damagedStreams: 0,
    enteredStreams: 0,
    forgottenStreams: 0,
    orphanFiles: 0,
    orphanBytes: 0,
  };
}
