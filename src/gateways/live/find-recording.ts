import { recordingResource } from "../../access/actions.ts";
import type { Principal } from "../../access/principal.ts";
import { WavecacheError } from "../../base/errors.ts";
import type { LiveListener } from "../../engine/recordings/live-feed.ts";
import type { OpusListener } from "../../engine/recordings/live-opus.ts";

/** A recording in progress. */
export interface LiveRecording {
  handshake: { sampleRate: number; channels: number; streamId: number };
  /** Null if the device sent none. */
  hwid: string | null;
  live: { add(listener: LiveListener): void; remove(listener: LiveListener): void };
  /** The same audio as Opus. `add` throws RATE_NOT_ENCODABLE. */
  opus: { add(listener: OpusListener): void; remove(listener: OpusListener): void };
}

/** What this gateway needs of the engine. */
export interface LiveRecordings {
  /** Rejects with RECORDING_UNKNOWN, LISTENERS_EXHAUSTED, NODE_UNREACHABLE. */
  listen(name: string): Promise<LiveRecording>;
}

/**
 * Finds the recording that a segment of a path names. Rejects with RECORDING_UNKNOWN, also for a recording that the caller
 * may not hear, and with LISTENERS_EXHAUSTED or NODE_UNREACHABLE.
 */
export async function findRecording(
  recordings: LiveRecordings,
  segment: string,
  principal: Principal,
): Promise<LiveRecording> {
  principal.requireSome("listen", "recordings");
  const recording = await recordings.listen(decode(segment));
  const resource = recordingResource(recording.hwid, recording.handshake.streamId);
  principal.require("listen", resource, "RECORDING_UNKNOWN");
  return recording;
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (error) {
    if (error instanceof URIError) throw new WavecacheError("RECORDING_UNKNOWN");
    throw error;
  }
}
