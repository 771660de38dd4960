/** The catalog of recordings: the segments of live streams that are complete and durable. */
import type { RecordingEntry } from "../../base/recording-entry.ts";

export interface RecordingRow extends RecordingEntry {
  id: number;
}

/** Where a page of a listing ended. */
export interface RecordingPlace {
  startedAt: number;
  id: number;
}

export interface RecordingQuery {
  /** Sanitised; undefined for every device. */
  device: string | undefined;
  /** Recordings that were opened in this time: `from` belongs to it, `to` does not. Milliseconds since 1970. */
  from: number;
  to: number;
  /** Only what comes after this one. */
  after: RecordingPlace | undefined;
  limit: number;
}

export interface RecordingCatalog {
  /** Enters a recording; one of the same name is replaced, since its files were. */
  enter(recording: RecordingEntry): void;
  has(name: string): boolean;
  /** In the order in which they were opened. */
  list(query: RecordingQuery): RecordingRow[];
}
