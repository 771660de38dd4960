/** A file of a recorded segment. */
export interface RecordedFile {
  bytes: number;
  /** Lower-case hex. */
  sha256: string;
}

/** The `.wav` of a recorded segment. */
export interface RecordedWav extends RecordedFile {
  /** What reads compare: an xxHash3 as lower-case hex (store/recordings/wav-digest.ts). Older recordings have none. */
  checksum?: string;
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

/** Frames that were lost inside a segment, and are not in its files. */
export interface Loss {
  /** Samples per channel of the segment before the loss. */
  at: number;
  /** Missing samples per channel. */
  samples: number;
}

/**
 * Where a segment lies in time. A session is audio of one connection without a pause. Its samples follow each other at
 * the sample rate from the arrival of its first frame on, so its segments join without a gap or an overlap.
 */
export interface Placement {
  /** Unique among all sessions. */
  session: string;
  /** When the first frame of the session arrived, in µs since 1970. */
  sessionStartUs: number;
  /** The run of the server; empty if a crash has left no record of it. */
  run: string;
  /** How far the system's clock had been set since the writer started, when the connection began. */
  steppedMs: number;
  /** The device's own clock at its handshake, in ms since 1970; null if it is not known. */
  deviceTimeMs: number | null;
  /** Samples per channel of the session before the segment, including lost ones. */
  position: number;
  losses: readonly Loss[];
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
  placement: Placement;
  bin: RecordedFile;
  wav: RecordedWav;
  /** The token that it counts for; absent for none, and for a writer, which does not know. */
  account?: string;
  /** Absent if the samples were not measured; the keeper measures them later. */
  peaks?: RecordedPeaks;
}

/** A segment whose files are open. A repair after a crash needs what the files do not tell. */
export interface StartedSegment {
  /** As in `RecordingEntry`. */
  name: string;
  /** As far as it is known. */
  placement: Placement;
  /** The placement if the device does not catch up on the delay of the first frame; absent if that was on time. */
  latePlacement?: Placement;
  /** As in `RecordingEntry`. */
  account?: string;
  /** Frames that were lost between the segment before and this one, which counts them; absent if there were none. */
  lostBefore?: number;
  /** Samples per channel of a full frame. */
  frameSamples: number;
  /** Lost frames are silence in the `.wav`. */
  fillGaps: boolean;
}

/** A segment as far as it is written, whether it is complete or not. */
export interface WrittenSegment {
  /** As in `RecordingEntry`. */
  name: string;
  /** As far as it is known. */
  placement: Placement;
  /** Samples per channel in the `.wav`. */
  samples: number;
}

/** The audio of a connection that is in files and not in the catalog. */
export interface WrittenAudio {
  segments: WrittenSegment[];
  /** No audio before this time, in µs since 1970, is still to come; null if there was none yet. */
  knownUntilUs: number | null;
}

/** The time that a segment covers: samples per channel, including lost ones. */
export function spanOf({ samples, placement }: Pick<RecordingEntry, "samples" | "placement">): number {
  return placement.losses.reduce((sum, loss) => sum + loss.samples, samples);
}
