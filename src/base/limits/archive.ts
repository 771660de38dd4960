/** Limits of the archive: objects that an S3 object store has, and the way to it and from it. */
import { mustHold } from "./relation.ts";
import { KiB, MiB } from "./units.ts";

/** Audio comes from the archive in pieces of this size; a read of one byte costs one piece. */
export const fetchPieceBytes = 1 * MiB;
/** Longer objects have their block checksums in the archive: with them a piece is verified by itself. */
export const minSumsObjectBytes = fetchPieceBytes;
/** Objects up to this size are stored by one request, longer ones in parts of this size. */
export const archivePartBytes = 16 * MiB;
/** S3 takes a shorter part as the last one only. */
export const minArchivePartBytes = 5 * MiB;
/** S3 allows this many parts; longer objects get longer parts. */
export const maxArchiveParts = 10_000;
/** A file is read in pieces of this size to compute the checksum of a part. */
export const archiveReadBytes = 1 * MiB;

/** Parts of uploads in progress that are stored at the same time; more wait, and their uploads go on meanwhile. */
export const maxUploadParts = 4;
/** A part of an upload in progress that failed is tried again after this at the latest. */
export const maxPartRetryMs = 30_000;
/** Uploads of other nodes that are brought here at the same time; more wait, up to `maxWaitingRestores`. */
export const maxRestores = 2;
/** Uploads that wait to be brought here; one more is refused with UPLOAD_MOVING. */
export const maxWaitingRestores = 64;
/** A client waits this long for its upload to be brought here; then it gets UPLOAD_MOVING, and resumes again later. */
export const restoreWaitMs = 5_000;
/** Objects that are stored at the same time; more wait in the queue of the catalog. */
export const maxArchivePuts = 4;
/** Objects that are removed from the archive at the same time. */
export const maxArchiveRemovals = 4;
/** Pieces that are fetched at the same time; more wait, up to `maxWaitingFetches`. */
export const maxFetches = 16;
/** Pieces that wait to be fetched; one more is refused with FETCHES_EXHAUSTED. */
export const maxWaitingFetches = 256;
/** A reader that reads on from piece to piece has this many of the next ones fetched ahead. */
export const fetchAheadPieces = 4;
/** Objects of which some pieces are here; at the limit the one that was used least recently is dropped. */
export const maxFetchedObjects = 512;
/** Levels and peaks of recordings that came from the archive; beyond it the least recently used go. */
export const maxFetchedMeasuredBytes = 64 * MiB;
/** Recordings whose levels and peaks one answer fetches at the same time. */
export const maxMeasuredFetches = 8;
/** Fetched pieces of removed audio go within this time, once they are idle: nodes do not tell each other of each removal. */
export const fetchedLookMs = 60_000;
/** An object of which some pieces are here is not dropped before it was idle for this long. */
export const minFetchedIdleMs = 10_000;

/** A request that brings or gets so much audio may take this long; then it counts as failed. */
export const archivePartTimeoutMs = 120_000;
/** Any other request, and one for a piece. */
export const archiveRequestTimeoutMs = 15_000;
/** An answer without audio is not read further than this. */
export const maxArchiveAnswerBytes = 256 * KiB;
/** After a failure an object waits for so long, twice as long after the next one, up to the maximum. */
export const minArchiveRetryMs = 500;
export const maxArchiveRetryMs = 300_000;
/** While the object store answers nothing, one request tries it again after so long, at most. */
export const maxArchivePauseMs = 30_000;
/**
 * A node notes an upload in parts within this time after it has begun it. One that nobody has noted by then is removed at a
 * start. Longer than the catalog takes to answer.
 */
export const uploadNoteMs = 6_000;
/** The queue is looked at this often, besides when something was added to it. */
export const archivePollMs = 1_000;

/**
 * While uploads bring this many bytes a second and the processors of the machine are this busy, nothing is stored. After
 * the longest delay, or with this share of the local bytes in the queue, storing goes on beside the uploads.
 */
export const busyUploadBytesPerSecond = 16 * MiB;
export const busyProcessorShare = 0.8;
export const maxArchiveDelayMs = 20_000;
export const maxDelayedShare = 0.1;
/** The load of the machine is measured over at least this time. */
export const minArchiveLookMs = 200;
/** Objects that are looked up and queued in one transaction when an archive is set up. */
export const archiveFillPage = 500;

/**
 * With --acknowledge archived, the end of an upload waits for the archive this long; then it fails with
 * ARCHIVE_UNAVAILABLE, and the client ends it again.
 */
export const acknowledgeMs = 30_000;

/** Objects whose local copy is dropped in one transaction. */
export const maxEvictedTogether = 32;
/** Local copies are dropped until this part of the limit is used. */
export const evictionEnd = 0.9;
/** Interval at which the local bytes are compared with their limit. */
export const evictionTickMs = 500;

mustHold("a part is read in whole pieces", archivePartBytes % archiveReadBytes === 0);
mustHold("audio is archived within a minute", maxArchiveDelayMs <= 30_000);
mustHold("fetches ahead leave room for others", fetchAheadPieces < maxFetches);
