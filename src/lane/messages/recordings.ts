/**
 * What crosses a lane for live recordings; numbers and conventions go on from tasks.ts. Writers serve uploads and
 * recordings side by side, so that the numbers of both differ, and a slot is the subject of either.
 *
 * To a writer:
 *
 *     RECORD_OPEN     JSON of a RecordingSpec
 *     RECORD_FRAMES   whole frame messages as they were received (wire/ingest.ts), one after the other
 *     RECORD_LISTEN   u8 1 = send audio, 0 = no longer
 *     RECORD_CLOSE    -                             frees the slot, in any state
 *
 * From a writer:
 *
 *     RECORD_STARTED  JSON of a StartedSegment      its files are open
 *     RECORD_SEGMENT  JSON of a RecordingEntry       a segment is in its files and closed
 *     RECORD_ORDER    JSON of an OrderDecision      the nibble order was found, or another one than before
 *     RECORD_LISTENING  -                           the answer to RECORD_LISTEN 1: what follows is for it
 *     RECORD_AUDIO    PCM16, interleaved            while somebody listens; begins with what was last
 *     RECORD_SKIPPED  f64 bytes of PCM16            that were not sent, because this side was too slow
 *     RECORD_FAILED   u32 error number, then detail once a slot; further frames are thrown away until RECORD_CLOSE
 *     RECORD_CLOSED   -                             the slot is free
 *
 * JSON is for what happens once a stream or once a segment, never once a frame.
 */
import type { RecordingEntry } from "../../base/recording-entry.ts";
import type { NibbleOrder } from "../../codec/ima-adpcm.ts";
import type { OrderDecision } from "../../codec/nibble-order.ts";
import type { Handshake } from "../../wire/ingest.ts";
import type { Body } from "./streams.ts";

export const RECORD_OPEN = 65;
export const RECORD_FRAMES = 66;
export const RECORD_LISTEN = 67;
export const RECORD_CLOSE = 68;

export const RECORD_STARTED = 81;
export const RECORD_SEGMENT = 82;
export const RECORD_ORDER = 83;
export const RECORD_AUDIO = 84;
export const RECORD_SKIPPED = 85;
export const RECORD_FAILED = 86;
export const RECORD_CLOSED = 87;
export const RECORD_LISTENING = 88;

/** What is to be recorded, and how. */
export interface RecordingSpec {
  handshake: Handshake;
  /** Sanitised; null for a device that did not say. */
  hwid: string | null;
  /** Folder of all recordings. */
  folder: string;
  /** A segment is ended by the first frame that comes this long after its opening, or later. */
  rotateMs: number;
  /** Null: found out from the frames. */
  nibbles: NibbleOrder | null;
  fillGaps: boolean;
}

/** `name` is relative to the folder of recordings and without an ending, with `/` as separator. */
export interface StartedSegment {
  name: string;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function encodeJson(
  value: RecordingSpec | StartedSegment | RecordingEntry | OrderDecision,
): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

/** What `encodeJson` made at the other end of the lane; the caller knows which type it is from the kind. */
export function decodeJson<T>(body: Body): T {
  // Copied out, since decoders refuse shared memory.
  return JSON.parse(decoder.decode(body.bytes.slice(body.offset, body.offset + body.length))) as T;
}
