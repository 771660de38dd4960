/** The overviews of recordings, in the catalog: a day of a device is read without opening a file. */
import type { RecordedPeaks, RecordingEntry } from "../../../base/recording-entry.ts";
import type { Peaks } from "../../../codec/peaks/dat.ts";
import type { MeasuredRow } from "./files.ts";
import type { Level } from "../../../codec/peaks/level.ts";

export interface OverviewRow extends MeasuredRow {
  /** Milliseconds since 1970. */
  startedAt: number;
  /** When its first sample was recorded, in µs since 1970. */
  startUs: number;
  overview: Peaks;
}

export interface OverviewQuery {
  /** The sanitised hardware id, or `#` and the stream id of a device without one. */
  source: string;
  /** The page begins with the recording that starts last before, or at, this time: it may last longer. */
  from: number;
  /** Milliseconds since 1970, exclusive. */
  to: number;
  /** The last row of the page before. */
  after: { startedAt: number; name: string } | undefined;
  limit: number;
}

/** The level of a whole recording. */
export interface LevelRow extends Level, Omit<OverviewRow, "overview"> {
  /** In Hz. */
  sampleRate: number;
  /** Per channel. */
  samples: number;
}

/** Overviews go with their recordings: a recording that is removed loses its overview. */
export interface PeakCatalog {
  /** Call it after the recording was entered: it may have replaced one of the same name, whose overview goes. */
  enter(recording: RecordingEntry, peaks: RecordedPeaks): void;
  has(recording: Pick<RecordingEntry, "device" | "streamId" | "startedAt" | "name">): boolean;
  /** Ordered by `startedAt`, then by name. */
  list(query: OverviewQuery): OverviewRow[];
  /** In the same order. */
  listLevels(query: OverviewQuery): LevelRow[];
}
