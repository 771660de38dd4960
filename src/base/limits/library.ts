/** Limits of the library of songs. */
import { mustHold } from "./relation.ts";
import { GiB, KiB, MiB } from "./units.ts";

/** The name of a song, in UTF-8; a longer name names no song. */
export const maxSongNameBytes = 1024;
/** Listed files and depth of folders; files beyond are not listed, but a request can still name them. */
export const maxLibraryFiles = 100_000;
export const maxLibraryDepth = 32;
/** Bytes of a song that is uploaded, unless --max-song-bytes is given; a longer one is refused with SONG_TOO_LARGE. */
export const defaultMaxSongBytes = 1 * GiB;
/** Songs that are uploaded at once, by all clients; one more is refused with TRANSFERS_EXHAUSTED. */
export const maxSongUploads = 16;
/** A start removes the file of an upload that nobody has written to for this long. */
export const abandonedSongMs = 3_600_000;
/** Age at which the list of files is gathered anew: with a file system that reports changes, and without. */
export const watchedLibraryMs = 30_000;
export const unwatchedLibraryMs = 2_000;
/** Files whose type, duration or SHA-256 is cached; the least recently used is evicted. */
export const maxKnownSongs = 10_000;
/** Songs in one page of a listing; a request for more is refused. */
export const maxListedSongs = 1000;
/** Songs of one listing that are inspected at once for type and duration; the others wait. */
export const maxSongsInspected = 4;
/** Files up to this size are read to their end for their duration, as MP3 without a header needs; of others only headers. */
export const maxScannedSongBytes = 256 * MiB;
/** Bytes that one read fetches while a file is inspected. */
export const inspectBytes = 64 * KiB;

mustHold("a page of songs fits the cache of details", maxListedSongs <= maxKnownSongs);
mustHold("a folder that reports no changes is gathered sooner", unwatchedLibraryMs < watchedLibraryMs);
