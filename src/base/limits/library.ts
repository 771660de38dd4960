/** Limits of the library of songs. */
import { KiB, MiB } from "./units.ts";

/** The name of a song, in UTF-8. */
export const maxSongNameBytes = 1024;
/** Files of the library that are listed, and folders within folders; what lies beyond can still be asked for by name. */
export const maxLibraryFiles = 100_000;
export const maxLibraryDepth = 32;
/** How old the list of the library's files may become where changes are noticed by themselves, and where they are not. */
export const watchedLibraryMs = 30_000;
export const unwatchedLibraryMs = 2_000;
/** Files whose type, duration or SHA-256 is remembered. */
export const maxKnownSongs = 10_000;
/** Songs in one page of a listing, and those looked into at once for their type and duration. */
export const maxListedSongs = 1000;
export const maxSongsInspected = 4;
/** A file may be read to its end for its duration, as MP3 without a header of its own needs, up to this size. */
export const maxScannedSongBytes = 256 * MiB;
/** What is read at once while a file is looked into. */
export const inspectBytes = 64 * KiB;
