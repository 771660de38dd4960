/** A file of a recorded segment. */
export interface RecordedFile {
  bytes: number;
  /** Lower-case hex. */
  sha256: string;
}

/** The peaks of a recorded segment, in short; those at full detail are in its `.dat`. */
export interface RecordedPeaks {
  /** Of the overview. */
  samplesPerPixel: number;
  /** The minimum and the maximum of each channel of a pixel, as little-endian 16-bit integers in base64. */
  overview: string;
  /** The largest magnitude, 0 to 32768. */
  peak: number;
  /** The mean of the squares, 0 to 2 ** 30. */
  meanSquare: number;
  /** Samples at the limits of 16 bits. */
  clipped: number;
  /** Why the `.dat` could not be written; absent if it was. */
  problem?: string;
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
  /** Absent if the samples were not measured; the keeper measures them later. */
  peaks?: RecordedPeaks;
}
