/** The catalog of recordings: the segments of live streams that are complete and durable. */

/** A file of a segment: size in bytes, SHA-256 in lower-case hex. */
export interface RecordedFile {
  bytes: number;
  sha256: string;
}

export interface RecordingEntry {
  /** Of both files without their endings, relative to the folder of recordings, with `/` as separator. */
  name: string;
  /** Sanitised hardware id. */
  device: string | null;
  /** u32. */
  streamId: number;
  codec: "pcm" | "adpcm";
  /** In Hz. */
  sampleRate: number;
  channels: number;
  /** Milliseconds since 1970: when it was opened, and when its last frame came. */
  startedAt: number;
  endedAt: number;
  frames: number;
  /** A channel. */
  samples: number;
  /** Places where the sequence numbers do not go on, and the frames that are missing there. */
  gaps: number;
  lostFrames: number;
  /** Null for PCM, and where it is not known. */
  nibbleOrder: "low" | "high" | null;
  nibbleOrderBy: "matched" | "fallback" | "forced" | null;
  bin: RecordedFile;
  wav: RecordedFile;
}

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
