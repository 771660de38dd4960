/** Limits of streams: uploads, reads, the cache, and what a stream says of itself. */
import { GiB, KiB, MiB } from "./units.ts";

/** Defaults of limits that flags change. */
export const defaultMaxStreamBytes = 4 * GiB;
export const defaultMaxCacheBytes = 8 * GiB;
export const defaultIncompleteTtlSeconds = 24 * 3600;
/** Stream ids: 1 to this many characters. */
export const maxStreamIdChars = 128;
/** Unfinished streams that one connection may hold open. */
export const maxStreamsPerConnection = 16;
/** What one GET may answer with. */
export const maxReadBytes = 16 * MiB;
/** What a GET asks for when it does not say. */
export const defaultReadBytes = 64 * KiB;
/** Reads of one connection under way at once: their bytes (one read is always allowed). */
export const readAheadBytes = 512 * KiB;
/** Bytes on their way out over all connections; past it new reads wait. */
export const maxOutboundBytes = 256 * MiB;
/** An upload's bytes that may be in its file and not yet on the disk before they are sent there while it goes on. */
export const flushBytes = 32 * MiB;
/** At this many the upload is held until the disk has taken some: what STOP has to wait for stays bounded. */
export const maxUnflushedBytes = 4 * flushBytes;
/** Uploads whose files are forced to the disk one by one; more of them with their whole file system, where that can be. */
export const maxFilesSyncedSingly = 4;
/** Files that one reader keeps open or mapped. */
export const maxOpenFilesPerReader = 128;
/** Files that the main thread keeps mapped besides: as many as streams are likely to be read at once. */
export const maxResidentFiles = 1024;
/** Streams whose catalog entry the main thread remembers. */
export const maxKnownStreams = 4096;
/** Streams in one page of a listing. */
export const maxListedStreams = 1000;
export const maxContentTypeChars = 128;
export const maxCodecNameChars = 32;
/** Tags of a stream, and their characters: in UTF-16 units, of all keys and values together. */
export const maxTags = 32;
export const maxTagKeyChars = 64;
export const maxTagValueChars = 512;
export const maxTagsChars = 4096;
/** Highest sample rate and channel count that the description of a stream's audio may name. */
export const maxDescribedSampleRate = 768_000;
export const maxDescribedChannels = 32;
