/** Audio as ingest frames, for one stream or for many that send the same. */
import { type IngestFormat, messageBytes } from "./format.ts";

/** The message of one frame; its first 12 bytes are room for the header, which the stream writes as it sends. */
export type FrameMessage = Uint8Array<ArrayBuffer>;

export interface FrameTrack {
  readonly format: IngestFormat;
  /** Samples a channel in all frames; infinite while no end is known. */
  readonly samples: number;
  /**
   * The message of frame number `frame`, undefined past the end; at once where it is there already. A view that others
   * may get too: it is written and sent in one go.
   */
  frame(frame: number): FrameMessage | undefined | Promise<FrameMessage | undefined>;
}

/** Samples a channel in the first `frames` frames: all are full but for the last. */
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
