/** Audio as ingest frames, for one stream or for several that send the same. */
import { type IngestFormat, messageBytes } from "./format.ts";

/** The message of one frame. Its first 12 bytes are room for the header, which the stream writes when it sends. */
export type FrameMessage = Uint8Array<ArrayBuffer>;

export interface FrameTrack {
  readonly format: IngestFormat;
  /** Samples per channel in all frames; Infinity while the end is unknown. */
  readonly samples: number;
  /**
   * The message of frame number `frame`, undefined past the end; a promise only if the frame is not ready. Several streams
   * may share the view, so the caller writes the header and sends it without waiting in between.
   */
  frame(frame: number): FrameMessage | undefined | Promise<FrameMessage | undefined>;
}

/** Samples per channel in the first `frames` frames. */
export function samplesIn(track: FrameTrack, frames: number): number {
  return Math.min(frames * track.format.frameSamples, track.samples);
}

/** Bytes of the messages of the first `frames` frames. */
export function bytesIn(track: FrameTrack, frames: number): number {
  const { frameSamples } = track.format;
  const samples = samplesIn(track, frames);
  const rest = samples % frameSamples;
  const fullBytes = ((samples - rest) / frameSamples) * messageBytes(track.format, frameSamples);
  return rest === 0 ? fullBytes : fullBytes + messageBytes(track.format, rest);
}
