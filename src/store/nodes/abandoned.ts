/**
 * What belongs to a dead node: its lease has ended. What others may remove of it goes from the catalog, by whichever node
 * locks the row first; its files go once the node is back (tasks.ts).
 */
import type { Candidate, CandidatePosition, RetainedKind } from "../retention/catalog.ts";
import type { StreamRow } from "../streams/catalog.ts";

export interface AbandonedQuery {
  kind: RetainedKind;
  /** Only what was made before, in milliseconds since 1970. */
  before: number;
  /** The first page has none. */
  after: CandidatePosition | null;
  limit: number;
}

export interface AbandonedRows {
  /** What is not pinned, oldest first. */
  candidates(query: AbandonedQuery): Candidate[];
  /** These return false if the row has changed, is pinned or locked, or if its node lives. */
  removeStream(stream: Pick<StreamRow, "streamId" | "key">): boolean;
  removeRecording(id: number): boolean;
  /** Uploads that are unfinished, of nodes that have been dead for so long. */
  uploads(deadMs: number, limit: number): StreamRow[];
  /** Fences the node: if it was frozen, it fails what it has in memory. */
  removeUpload(row: StreamRow): boolean;
}

/** A catalog in a file has one node. */
export const nothingAbandoned: AbandonedRows = {
  candidates: () => [],
  removeStream: () => false,
  removeRecording: () => false,
  uploads: () => [],
  removeUpload: () => false,
};
