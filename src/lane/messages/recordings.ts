/**
 * The messages of live recordings on a lane, with the conventions of streams.ts. A writer serves uploads and recordings
 * side by side, so their kinds have different numbers. The subject is a slot.
 *
 * To a writer:
 *
 *     RECORD_OPEN       JSON of a RecordingSpec
 *     RECORD_FRAMES     whole frame messages as received (wire/ingest.ts), one after the other
 *     RECORD_LISTEN     u8 0 = stop sending audio, 1 = start with the most recent, 2 = start where the files end
 *     RECORD_SPLIT      -                              ends the segment; the next frame opens another one
 *     RECORD_LOOK       -                              writes all audio, and answers with RECORD_WRITTEN
 *     RECORD_CLOSE      -                              frees the slot, in any state
 *
 * From a writer:
 *
 *     RECORD_STARTED    JSON of a StartedSegment       its files are open
 *     RECORD_SEGMENT    JSON of a RecordingEntry       a segment is complete in its files
 *     RECORD_ORDER      JSON of an OrderDecision       the nibble order was detected, or has changed
 *     RECORD_SOUND      JSON of a SoundNews            the device sounds, is silent or clips, or the audio has ended
 *     RECORD_LISTENING  JSON of PastAudio[]            answers RECORD_LISTEN 1 and 2: its audio follows
 *     RECORD_AUDIO      f64 time in ms, then PCM16     while listening; interleaved; the time is of the first sample
 *     RECORD_SKIPPED    f64 bytes of PCM16             not sent because the lane was full
 *     RECORD_WRITTEN    JSON of a WrittenAudio         segments that are not complete, or not hashed yet
 *     RECORD_FAILED     u32 error number, then detail  frames are discarded until RECORD_CLOSE
 *     RECORD_CLOSED     -                              the slot is free
 *
 * JSON is for what happens once per stream or segment, never once per frame.
 */
import type { RecordingEntry, StartedSegment, WrittenAudio } from "../../base/recording-entry.ts";
import type { NibbleOrder } from "../../codec/ima-adpcm.ts";
import type { SoundChange, SoundThreshold } from "../../codec/peaks/sound-detector.ts";
import type { OrderDecision } from "../../codec/nibble-order.ts";
import type { Handshake } from "../../wire/ingest.ts";
import type { Body } from "./streams.ts";

export const RECORD_OPEN = 65;
export const RECORD_FRAMES = 66;
export const RECORD_LISTEN = 67;
export const RECORD_CLOSE = 68;
export const RECORD_SPLIT = 69;
export const RECORD_LOOK = 70;

export const RECORD_STARTED = 81;
export const RECORD_SEGMENT = 82;
export const RECORD_ORDER = 83;
export const RECORD_AUDIO = 84;
export const RECORD_SKIPPED = 85;
export const RECORD_FAILED = 86;
export const RECORD_CLOSED = 87;
export const RECORD_LISTENING = 88;
export const RECORD_SOUND = 89;
export const RECORD_WRITTEN = 90;

/** Describes a stream to record. */
export interface RecordingSpec {
  handshake: Handshake;
  /** Sanitised hardware id; null if the device did not send one. */
  hwid: string | null;
  /** The recordings folder. */
  folder: string;
  /** A segment is finished this long after it was opened; the next frame opens the next one. */
  rotateMs: number;
  /** Null: detected from the frames. */
  nibbles: NibbleOrder | null;
  fillGaps: boolean;
  /** Identifies the connection, and the run of the server. */
  connection: string;
  run: string;
  threshold: SoundThreshold;
  /** Of the clock of this machine (shared-clock.ts), when the connection began. */
  clockAheadMs: number;
}

/** A recording on its writer. */
export interface WriterSpec extends RecordingSpec {
  /** Where its live levels go (level-table.ts); null if there was no cell left. */
  levelCell: number | null;
}

/** What RECORD_LISTEN asks for. */
export type ListenMode = "off" | "recent" | "afterFiles";

/** The values of RECORD_LISTEN, by mode. */
export const listenCodes: Record<ListenMode, number> = { off: 0, recent: 1, afterFiles: 2 };

/** A `.wav` of a recording, without its extension, and how many samples per channel it has. */
export interface PastAudio {
  name: string;
  samples: number;
}

export type SoundNews = SoundChange | { kind: "end"; at: number };

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function encodeJson(
  value:
    WriterSpec | SoundNews | PastAudio[] | StartedSegment | WrittenAudio | RecordingEntry | OrderDecision,
): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

/** Decodes what `encodeJson` encoded. The kind of the record tells the caller the type. */
export function decodeJson<T>(body: Body): T {
  // Copied first, since TextDecoder refuses shared memory.
  return JSON.parse(decoder.decode(body.bytes.slice(body.offset, body.offset + body.length))) as T;
}
