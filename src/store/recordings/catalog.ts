/** The catalog of recordings: the complete, durable segments of live streams. */
import type { Level } from "../../codec/peaks/level.ts";
import type { RecordingEntry, StartedSegment } from "../../base/recording-entry.ts";

import type { SamplesPlace } from "./place.ts";
import type { TimelineCatalog } from "./timeline/catalog.ts";

export interface RecordingRow extends RecordingEntry, SamplesPlace {
  id: number;
  /** By itself: a pinned range of time may keep it, too. */
  isPinned: boolean;
  /** Of its files, the peaks included. */
  fileBytes: number;
  /** Of all of its audio; absent if it was not measured yet. */
  level?: Level;
  /** Files that nobody has any more; absent if both are in the recordings folder, or the `.wav` in the archive. */
  missing?: ("bin" | "wav")[];
}

/** The last recording of a page; the next page starts after it. */
export interface RecordingCursor {
  startedAt: number;
  id: number;
}

export interface RecordingQuery {
  /** Sanitised hardware id; undefined for every device. */
  device: string | undefined;
  /** Bounds of `startedAt`, in milliseconds since 1970: `from` is inclusive, `to` exclusive. */
  from: number;
  to: number;
  after: RecordingCursor | undefined;
  limit: number;
}

export interface RecordingCatalog {
  readonly timeline: TimelineCatalog;
  /** Keeps what a repair of the segment needs, until the segment is inserted or removed. */
  start(segment: StartedSegment): void;
  started(name: string): StartedSegment | undefined;
  /** Segments of a source that other nodes have started, and not inserted yet. */
  startedElsewhere(source: string): { name: string; node: string }[];
  /** Forgets segments that were started and have no files any more. */
  abandon(name: string): void;
  /** Inserts a recording; returns its id. Replaces a row of the same name, since its files have been replaced too. */
  enter(recording: RecordingEntry): number;
  has(name: string): boolean;
  find(id: number): RecordingRow | undefined;
  /** Of this node. */
  remove(id: number): void;
  /** Of whatever node: another one gets a task. Returns false if it is gone. */
  removeAnywhere(id: number): boolean;
  /** Ordered by id, after this one. */
  after(id: number, limit: number): RecordingRow[];
  /** Ordered by `startedAt`, then by id. */
  list(query: RecordingQuery): RecordingRow[];
}
