/** Limits of live ingest, recordings, and live listening. */
import { GiB, KiB, MiB } from "./units.ts";
import { writeRingBytes } from "./lanes.ts";

/** A frame of live ingest with its header; a longer one closes the connection. */
export const maxIngestFrameBytes = 1 * MiB;
/** Half the most that a recording's frames, or its samples, take in memory; past it they are written before their time. */
export const recordingFlushBytes = 64 * KiB;
/** How old they may become, with `recordingTickMs` on top: a crash costs no more than that. */
export const recordingFlushMs = 500;
/** How often a writer looks for what is due. */
export const recordingTickMs = 100;
/** How long frames wait for their nibble order to be found. */
export const nibbleHoldMs = 400;
/** A recording goes on in new files at this size, whatever its time: a WAV file cannot hold 4 GiB. */
export const maxSegmentBytes = 2 * GiB;
/** Silence for one gap of lost frames, at most. */
export const maxFilledMs = 10_000;
export const maxFilledBytes = 1 * MiB;
/** What a live listener hears first: the time just before. */
export const liveHistoryMs = 200;
export const maxLiveHistoryBytes = 64 * KiB;
/** Audio on its way to one live listener; what comes on top of it is skipped. */
export const liveBufferMs = 2_000;
export const maxLiveBufferBytes = 512 * KiB;
/** Live listeners to all recordings together. */
export const maxLiveListeners = 1024;
/** Closed segments that wait for their catalog entry; the oldest beyond that are left to the next start. */
export const maxUnenteredSegments = 100_000;
/** Recordings in one page of a listing. */
export const maxListedRecordings = 1000;

if (maxIngestFrameBytes > writeRingBytes / 4) throw new RangeError("a frame must leave room in its ring");
