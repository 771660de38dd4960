/** A file of a recorded segment. */
export interface RecordedFile {
  bytes: number;
  /** Lower-case hex. */
  sha256: string;
}

/** A recorded segment: complete in its `.bin` and its `.wav`, which no longer change. */
export interface RecordingEntry {
  /** Path of both files without their extensions, relative to the recordings folder, with `/` as separator. */
  name: string;
  /** Sanitised hardware id; null if the device did not send one. */
  device: string | null;
  /** u32. */
  streamId: number;
  codec: "pcm" | "adpcm";
  /** In Hz. */
  sampleRate: number;
  channels: number;
  /** When the segment was opened and when its last frame arrived, in ms since 1970. */
  startedAt: number;
  endedAt: number;
  /** Frames in the `.bin`. */
  frames: number;
  /** Samples per channel in the `.wav`. */
  samples: number;
  /** Breaks in the sequence numbers, and the frames missing there. */
  gaps: number;
  lostFrames: number;
  /** Null for PCM, and for ADPCM whose nibble order could not be detected. */
  nibbleOrder: "low" | "high" | null;
  nibbleOrderBy: "matched" | "fallback" | "forced" | null;
  bin: RecordedFile;
  wav: RecordedFile;
}
