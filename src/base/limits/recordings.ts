/** Limits of live ingest, recordings, and live listening. */
import { idleTimeoutSeconds, defaultMaxMessageBytes } from "./connections.ts";
import { writeRingBytes } from "./lanes.ts";
import { mustHold } from "./relation.ts";
import { GiB, KiB, MiB } from "./units.ts";

/** A frame of live ingest with its header; a longer one closes the connection with 1009. */
export const maxIngestFrameBytes = 1 * MiB;
/** A device that sends nothing for this long is pinged: it may have lost its power or its network. */
export const ingestIdleMs = 20_000;
/** A device that sends nothing for this long after a ping is disconnected. */
export const ingestAnswerTimeoutMs = 20_000;
/** Interval at which the two are checked. */
export const ingestCheckMs = 1_000;
/** Each buffer of a recording (frames, samples) holds twice this; a full buffer is written before its time. */
export const recordingFlushBytes = 64 * KiB;
/** Audio older than this is written with the next tick: a crash costs no more than that. */
export const recordingFlushMs = 500;
/** Interval at which a writer checks what is due. */
export const recordingTickMs = 100;
/** After this long frames are decoded even if their nibble order is not detected yet. */
export const nibbleHoldMs = 400;
/** A segment of this size is closed whatever its duration: a WAV file cannot hold 4 GiB. */
export const maxSegmentBytes = 2 * GiB;
/** Silence that replaces the lost frames of one gap; a longer gap shortens the recording. */
export const maxFilledMs = 10_000;
export const maxFilledBytes = 1 * MiB;
/** A device that sends nothing for this long continues in a new segment, and its silence is a gap in the timeline. */
export const recordingPauseMs = 2_000;
/**
 * After this long a segment of late audio begins another session, even if the device could still catch up on its delay:
 * who follows a period must not wait for a long segment to end.
 */
export const sessionSettleMs = 10_000;
/** Audio that arrives later than this is left out of a period that is being followed; later requests have it. */
export const followLateMs = 15_000;
/** Interval at which a period that is being followed is looked at for new audio. */
export const followLookMs = 500;
/** Clients that follow periods; one more is refused with LISTENERS_EXHAUSTED. */
export const maxPeriodFollowers = 64;
/** Places in one segment where frames were lost; further losses leave later samples of the segment too early. */
export const maxSegmentLosses = 4_096;
/** Audio before its request that a live listener gets first. */
export const liveHistoryMs = 200;
export const maxLiveHistoryBytes = 64 * KiB;
/** Audio queued for one live listener; further audio is skipped until the listener has read. */
export const liveBufferMs = 2_000;
/** The same over a WebSocket, whose listeners want to be close to live. */
export const liveSocketBufferMs = 500;
export const maxLiveBufferBytes = 512 * KiB;
/**
 * Audio before its request that a listener to Opus gets first. Chromium plays when it has 32 KiB, and reads on in pieces
 * of this size: 4 seconds at 64 kbit/s.
 */
export const livePastMs = 5_000;
/** Recordings that are encoded as Opus at once, at about a twentieth of a core each; one more: LISTENERS_EXHAUSTED. */
export const maxLiveEncodings = 16;
/** Audio that waits for the encoding thread; above this further audio is skipped. */
export const maxLiveBacklogMs = 2_000;
/** Live audio is encoded in steps of this length, in turn with sounds. */
export const liveStepMs = 100;
/** Packets of 20 ms in a page for listeners to Opus: each page waits for its last one. */
export const livePagePackets = 5;
/** Opus queued for one live listener, with the audio it starts with; further pages are skipped until it has read. */
export const maxLiveOpusBytes = 64 * KiB;
/** The segments of this long become one recording, if asked for. */
export const compactedMs = 3_600_000;
/** An hour is joined this long after its end: by then its last segment, and late ones of a repair, are in the catalog. */
export const compactDelayMs = 10 * 60_000;
/** How often the server looks for hours to join. */
export const compactIntervalMs = 60_000;
/** The files of joined segments are kept this long, here and in the archive, for readers that have begun with them. */
export const joinedFilesMs = 10 * 60_000;
/** Live listeners to all recordings together; one more is refused with LISTENERS_EXHAUSTED. */
export const maxLiveListeners = 1024;
/** Closed segments without a catalog entry yet; above this the oldest wait for the repair at the next start. */
export const maxUnenteredSegments = 100_000;
/** Look for the files of this many recordings at this interval; recordings whose files were removed leave the list. */
export const recordingsLookedAt = 50;
export const recordingLookMs = 2_000;
/** Recordings in one page of a listing; a request for more is refused. */
export const maxListedRecordings = 1000;

/** The longest period whose audio can be asked for at once; a longer one is refused with READ_TOO_LARGE. */
export const maxPeriodMs = 31 * 86_400_000;
/** Segments and spans of such a period; more are refused with READ_TOO_LARGE. */
export const maxPeriodSegments = 100_000;
export const maxPeriodSpans = 10_000;
/** Samples of a period are read, and sent, in pieces of this size: smaller ones cost more than their bytes. */
export const periodReadBytes = 512 * KiB;
/** Recordings that one removal of a period takes out of the catalog at once; it continues with the next ones. */
export const maxRemovedAtOnce = 500;
/** Recordings whose file was compared with its digest; the least recently used is hashed again before it is sent. */
export const maxVerifiedRecordings = 10_000;
/** Folders of devices that are held open for the next file; the least recently used is closed. */
export const maxHeldFolders = 16;
/** A folder is held open for this long, and then opened again if it is needed. */
export const heldFolderMs = 2_000;
/** A recording is hashed in pieces of this size: other work of the main thread comes between them. */
export const recordingHashBytes = 256 * KiB;
/** Memory of so many hashes is kept for the next ones: a client that reads a period hashes up to two files at once. */
export const maxSpareHashes = 4;

mustHold("an ingest frame fits a WebSocket message", maxIngestFrameBytes <= defaultMaxMessageBytes);
mustHold(
  "a device that answers pings is never idle",
  ingestIdleMs + ingestAnswerTimeoutMs < idleTimeoutSeconds * 1000,
);
mustHold("four ingest frames fit their ring", maxIngestFrameBytes <= writeRingBytes / 4);
mustHold("a crash costs at most a second", recordingFlushMs + recordingTickMs <= 1_000);
mustHold(
  "late audio is placed before it is left out",
  followLateMs >= sessionSettleMs + 2 * recordingPauseMs,
);
mustHold("the nibble order is settled before audio is overdue", nibbleHoldMs <= recordingFlushMs);
mustHold("a listener can buffer its history", maxLiveHistoryBytes <= maxLiveBufferBytes);
// Samples of ADPCM take four times the bytes of their frame.
mustHold(
  "a full segment fits a WAV file",
  maxSegmentBytes + maxFilledBytes + 4 * maxIngestFrameBytes < 4 * GiB,
);
