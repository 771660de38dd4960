/** Limits of audio over plain HTTP. */
import { stallTimeoutMs } from "./connections.ts";
import { mustHold } from "./relation.ts";
import { KiB, MiB } from "./units.ts";
import { verificationPieceBytes } from "./streams.ts";

/** Audio of one answer that is in memory at once; a longer range is sent from its file, or in pieces of this size. */
export const audioPieceBytes = 32 * KiB;
/** Parts of one multipart answer; a request for more gets the whole audio. */
export const maxRangeParts = 16;
/** Ranges in one Range header; a header with more is ignored, and the answer is the whole audio. */
export const maxRequestedRanges = 128;
/**
 * A client that takes no audio for this long is disconnected; it can ask for the rest as a range. The kernel reports
 * progress only once a third of its send buffer is free, 1.3 MiB of 4: a player that reads as slowly as it plays would be
 * cut off by a shorter time. Bun allows 255.
 */
export const audioStallSeconds = 240;

/** The server remembers for each piece of this size whether it is verified. */
export const verifiedPieceBytes = 1 * MiB;
/** A reader verifies this much of an object before it serves other reads. */
export const verifiedAtOnceBytes = 8 * MiB;
/** Objects whose verified pieces are remembered; the least recently used is verified again. */
export const maxVerifiedObjects = 1024;
/** After this long a piece is verified again: its pages may have left the page cache, and be read from a disk that rots. */
export const verifiedMs = 300_000;
/** An answer waits this long for its range to be verified; after that it is verified while it is sent. */
export const maxVerificationMs = 250;

/** A client that follows an upload waits this long for an interrupted one to be resumed; then it is disconnected. */
export const followResumeMs = 30_000;
/** Interval at which it looks for the resume. */
export const followResumePollMs = 200;

mustHold("pieces are whole", verifiedAtOnceBytes % verifiedPieceBytes === 0);
mustHold("a piece is read in whole steps", verifiedPieceBytes % verificationPieceBytes === 0);
mustHold("a stalled client has as long as with other protocols", audioStallSeconds * 1000 >= stallTimeoutMs);
mustHold("Bun allows the idle timeout", audioStallSeconds <= 255);
