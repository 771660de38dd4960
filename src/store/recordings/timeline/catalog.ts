/** The catalog of when there is audio of which device. */
import type { Loss, RecordedWav } from "../../../base/recording-entry.ts";
import type { SamplesPlace } from "../place.ts";

/** Times are in µs since 1970. */
export interface TimelineQuery {
  source: string;
  /** Only of this stream; undefined for all of the source. */
  streamId: number | undefined;
  /** What overlaps this period; `toUs` is exclusive. */
  fromUs: number;
  toUs: number;
  limit: number;
}

export interface SessionFacts {
  /** Unique among all sessions, as in `Placement`. */
  key: string;
  sampleRate: number;
  channels: number;
  streamId: number;
  sessionStartUs: number;
  run: string;
  steppedMs: number;
  deviceTimeMs: number | null;
  /** Why its connection ended; null if it has not, or if a crash ended it. */
  ended: SessionEnd | null;
}

/** The device has closed the connection or lost it, or the server has stopped recording it. */
export type SessionEnd = "device" | "server";

export interface EndedConnection {
  connection: string;
  reason: SessionEnd;
}

/** Segments of one session that follow each other without a gap, but for lost frames. */
export interface SpanRow extends SessionFacts {
  session: number;
  startUs: number;
  endUs: number;
  /** Positions in the session: the first sample, and the one after the last. */
  first: number;
  past: number;
  segments: number;
  samples: number;
  lostFrames: number;
}

/** Frames that were lost within a segment. */
export interface LossRow {
  session: number;
  /** Of the segment in its session. */
  position: number;
  losses: readonly Loss[];
}

export interface TimelineTotals {
  spans: number;
  segments: number;
  /** Of the part within the period; overlapping spans count twice. */
  audioUs: number;
  lostFrames: number;
}

export interface TimelineRows {
  /** Of all audio of the source; undefined if there is none. */
  bounds: { earliestUs: number; latestUs: number } | undefined;
  /** In the order of their ends. */
  spans: SpanRow[];
  /** The neighbours of the period. */
  before: SpanRow | undefined;
  after: SpanRow | undefined;
  /** Of the spans, in the order of sessions and positions; at most `limit` segments. */
  losses: LossRow[];
  totals: TimelineTotals;
}

/** A segment of a session, as far as its samples matter. */
export interface SegmentRow extends SamplesPlace {
  id: number;
  name: string;
  session: number;
  position: number;
  samples: number;
  losses: readonly Loss[];
  wav: RecordedWav;
}

/** A period of a source; `streamId` as in `TimelineQuery`. */
export type SourcePeriod = Omit<TimelineQuery, "limit">;

/** A period of a device, by its name: the hardware id, or the stream id of a device without one. */
export type Period = Omit<SourcePeriod, "source"> & { name: string };

/** Segments to remove. */
export interface RemovableRow {
  id: number;
  name: string;
  device: string | null;
  streamId: number;
  /** Of both files. */
  bytes: number;
  /** The node that has the files, if that is another one. */
  otherNode?: string;
}

/** A source with audio: a device, or a stream without one. Times are in µs since 1970. */
export interface RecordedSource {
  device: string | null;
  /** Of the newest audio. */
  streamId: number;
  earliestUs: number;
  latestUs: number;
}

export interface TimelineCatalog {
  /** The sources after this one, in the order of their names: streams without a device come first. */
  sources(after: string, limit: number): RecordedSource[];
  /** The source that has this name: a device, or else a stream without a device. */
  sourceOf(name: string): string;
  read(query: TimelineQuery): TimelineRows;
  /** Segments that lie as a whole within the period. */
  within(period: SourcePeriod, limit: number): RemovableRow[];
  /** The segments of a session that overlap these positions, in their order. */
  segments(session: number, first: number, past: number, limit: number): SegmentRow[];
  /** When the first session of a source after this time begins, in µs since 1970. */
  nextSessionUs(source: string, afterUs: number): number | undefined;
  /** All sessions of a connection end. */
  end(ended: EndedConnection): void;
}
