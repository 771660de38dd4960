/** The catalog of joined recordings: several segments of a session that became one. */
import type { RecordingEntry } from "../../../base/recording-entry.ts";
import type { RecordingRow } from "../catalog.ts";

/** A join that is not over. */
export interface JoinNote {
  /** Of the joined files. */
  name: string;
  /** Names of the segments that they replace. */
  sources: readonly string[];
  /** When the catalog got the joined recording, in ms since 1970; null until then. */
  joinedAt: number | null;
}

export interface JoinCatalog {
  /** The `startedAt` of the first recording from this time on; undefined if there is none. */
  firstFrom(startedAt: number): number | undefined;
  /** Sessions with several recordings that started in this hour. `to` is exclusive. */
  sessions(from: number, to: number): number[];
  /** Those recordings of a session, by position. */
  candidates(session: number, from: number, to: number): RecordingRow[];
  note(name: string, sources: readonly string[]): void;
  notes(): JoinNote[];
  forget(name: string): void;
  /**
   * Makes one recording of several: the first keeps its id. The timeline stays as it is. Returns false, and the transaction
   * must be rolled back, if one of them is gone.
   */
  replace(rows: readonly RecordingRow[], joined: RecordingEntry, at: number): boolean;
}
