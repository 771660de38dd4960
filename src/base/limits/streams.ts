/** Limits of streams: uploads, reads, the cache, and what describes a stream. */
import { webSocketBufferBytes } from "./connections.ts";
import { mustHold } from "./relation.ts";
import { GiB, KiB, MiB } from "./units.ts";

/** Bytes of one stream (`--max-stream-bytes`); an upload that grows beyond ends with STREAM_TOO_LARGE. */
export const defaultMaxStreamBytes = 4 * GiB;
/**
 * Bytes in the cache (`--max-cache-bytes`); a full cache removes interrupted uploads to
 * make room, then what a policy of retention may evict, and refuses uploads with CACHE_FULL otherwise.
 */
export const defaultMaxCacheBytes = 8 * GiB;
/**
 * Streams in the cache (`--max-streams`), and the bytes that each counts as at least: with more of them the cache is full,
 * and refuses new ones with CACHE_FULL.
 */
export const defaultMaxStreams = 10_000_000;
export const minStreamBytes = 4 * KiB;
/** Unfinished streams (`--max-unfinished-streams`); one more is refused with STREAMS_EXHAUSTED. */
export const defaultMaxUnfinishedStreams = 10_000;
/** An interrupted upload is removed after this long without a resume (`--incomplete-ttl`). */
export const defaultIncompleteTtlSeconds = 24 * 3600;
/** A full cache that found no interrupted upload to remove looks again after this; it refuses uploads until then. */
export const reclaimPauseMs = 1_000;
/** Length of a stream id; a longer one is refused with BAD_STREAM_ID. */
export const maxStreamIdChars = 128;
/** Unfinished streams of one connection; one more is refused with STREAMS_EXHAUSTED. */
export const maxStreamsPerConnection = 16;
/** Bytes that one GET may ask for; a longer one is refused with READ_TOO_LARGE. */
export const maxReadBytes = 16 * MiB;
/** Bytes that a GET without a length asks for. */
export const defaultReadBytes = 64 * KiB;
/** Bytes of one connection's concurrent reads; above this its next read waits. A single read is always allowed. */
export const readAheadBytes = 512 * KiB;
/** Unsent audio of all connections; above this new reads wait. */
export const maxOutboundBytes = 256 * MiB;
/** Start a background sync of an upload after this many unsynced bytes. */
export const flushBytes = 32 * MiB;
/** Backpressure pauses an upload at this many unsynced bytes: the final sync of STOP stays short. */
export const maxUnflushedBytes = 4 * flushBytes;
/** Uploads that are synced file by file; a larger batch syncs the whole file system at once where that is possible. */
export const maxFilesSyncedSingly = 4;
/** Files that one reader keeps open, if the process may have so many; the oldest is closed. */
export const maxOpenFilesPerReader = 128;
/** Objects that the main thread keeps open beside those of the readers, if it may; the oldest is closed. */
export const maxResidentFiles = 1024;
/** Block checksums that a thread keeps in memory, enough for 32 GiB of objects; the oldest are read again when needed. */
export const maxCachedSumsBytes = 16 * MiB;
/** Objects with more block checksums than this (8 GiB) are read by reader threads only: loading them takes a while. */
export const maxResidentSumsBytes = 4 * MiB;
/** An object without block checksums is hashed before its first read; a longer one in the background, beside reads. */
export const maxBytesHashedAtOnce = 32 * MiB;
/** Such an object is hashed in pieces of this size: reads of other objects come between them. */
export const verificationPieceBytes = 1 * MiB;
/** Every object is verified once in this time (`--scrub-days`). */
export const defaultScrubDays = 30;
/** The scrub begins this long after a start: clients that come back and the check of the store go first. */
export const scrubDelayMs = 5_000;
/** The scrub reads at least this fast, and faster if a pass would take too long otherwise. */
export const minScrubBytesPerSecond = 1 * MiB;
/** The scrub reads objects in pieces of this size, and rests after each. */
export const scrubPieceBytes = 256 * KiB;
/** The scrub rests after an object as if it had read this many bytes more: opening files costs time too. */
export const minScrubBytesPerObject = 4 * KiB;
/** Objects that the scrub asks the catalog for at a time. */
export const scrubPageObjects = 100;
/** The scrub tries again after this, if the cache is empty or a thread died. */
export const scrubRetryMs = 30_000;
/** Reads that find the same object damaged again within this time change neither the catalog nor the log. */
export const damageReportIntervalMs = 60_000;
/** Damaged objects that the main thread remembers; the oldest is reported again. */
export const maxKnownDamage = 1024;
/** Catalog rows that the main thread caches; the oldest is evicted. */
export const maxKnownStreams = 4096;
/** Pages of the catalog in memory: the inner pages of a million streams fit. Others are read again. */
export const catalogCacheBytes = 16 * MiB;
/** Streams in one page of a listing; a request for more is refused. */
export const maxListedStreams = 1000;
/** A search counts its matches up to this many: with more, its total is this number. */
export const maxCountedStreams = 10_000;
/** Text of a search, in UTF-16 units, and how many tags it may name; a longer one is refused with BAD_REQUEST. */
export const maxSearchChars = 256;
export const maxSearchTags = 8;
/** Interrupted uploads that expire in one transaction; the others follow in the next ones. */
export const maxExpiredTogether = 200;
/** Damaged streams, or errors, of one check of the store that the log names; it only counts the others. */
export const maxCheckReports = 100;
/** Files set aside in lost+found/ are removed after they were there for this long. */
export const lostFoundDays = 30;
/** Space that a file in the cache folder keeps for removals on a full disk; without it a full disk could not be freed. */
export const ballastBytes = 1 * MiB;
/** With less free space on its disk the server accepts no new uploads (DISK_FULL); reads and removals work. */
export const minUploadRoomBytes = 256 * KiB;
/** Interval at which the server looks whether its folders are still there and their disk has room. */
export const storeLookMs = 2_000;

/** Streams of an object that are looked at for one that the caller may read; beyond them it counts as unknown. */
export const maxStreamsOfObject = 100;

/** Description of a stream: lengths in UTF-16 units. A longer text makes the message malformed. */
export const maxContentTypeChars = 128;
export const maxCodecNameChars = 32;
/** Tags of a stream: their number, each key, each value, and all keys and values together. */
export const maxTags = 32;
export const maxTagKeyChars = 64;
export const maxTagValueChars = 512;
export const maxTagsChars = 4096;
/** What the server reads of finished audio for its properties and tags; after either limit it counts as silent on them. */
export const maxReadingBytes = 8 * MiB;
export const maxReadingMs = 2_000;
/** Streams whose audio waits to be read that the catalog is asked for at a time. */
export const readingPageStreams = 20;
/** Body of a change of tags; a larger one is refused with MESSAGE_TOO_LARGE. */
export const maxPatchBytes = 64 * KiB;
/** Highest sample rate and channel count in the description of a stream's audio. */
export const maxDescribedSampleRate = 768_000;
export const maxDescribedChannels = 32;

mustHold("a stream fits the cache", defaultMaxStreamBytes <= defaultMaxCacheBytes);
mustHold("a GET may ask for the default", defaultReadBytes <= maxReadBytes);
mustHold("a whole answer fits the send buffer", maxReadBytes + readAheadBytes <= webSocketBufferBytes);
mustHold("the scrub hashes what it reads", scrubPieceBytes <= verificationPieceBytes);
mustHold("many connections read ahead at once", 64 * readAheadBytes <= maxOutboundBytes);
mustHold("the largest tag fits the tags", maxTagKeyChars + maxTagValueChars <= maxTagsChars);
