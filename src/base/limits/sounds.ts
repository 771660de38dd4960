/** Limits of sounds for devices. */
import { mustHold } from "./relation.ts";
import { KiB, MiB } from "./units.ts";

/** Duration of a sound; a longer one is refused with SOUND_TOO_LONG. */
export const maxSoundMs = 3_600_000;
/**
 * Bytes of an Ogg packet that are kept. Opus packets are shorter; of longer ones, such as tags with a picture, only the
 * beginning is needed.
 */
export const maxOggPacketBytes = 64 * KiB;
/** Streams of an Ogg file that follow each other; a file with more is refused, because each needs a decoder. */
export const maxOpusLinks = 1_000;
/** Bytes of damaged pages in an Ogg file; after more the rest of the file counts as unreadable. */
export const maxOggDamageBytes = 64 * MiB;
/** Bytes of a sound's file that are read without finding audio in them; after more the sound is refused as unreadable. */
export const maxSoundGapBytes = 64 * MiB;
/**
 * Samples of all channels that are decoded from a FLAC file, 24 hours at 48 kHz in stereo, damaged frames included; a file
 * with more is refused with SOUND_TOO_LONG. A few bytes of it can stand for half a million samples.
 */
export const maxFlacSamples = 24 * 3600 * 48_000 * 2;
/** Chunks of a WAV file before its audio, and their bytes; a file with more of either is refused as unreadable. */
export const maxWavHeadChunks = 10_000;
export const maxWavSkippedBytes = 64 * MiB;
/**
 * Sounds in memory, and the bytes of their packets. Above either the least recently used are evicted; if all are
 * playing, a further sound is refused with SOUNDS_EXHAUSTED.
 */
export const maxSounds = 64;
export const maxSoundBytes = 128 * MiB;
/** Memory of a packet beside its bytes: its view, and its place in a list. */
export const soundPacketOverheadBytes = 128;
/** Encoded sounds in the cache folder; above this the least recently used are removed. */
export const maxSoundCacheBytes = 512 * MiB;
/** Sounds that are encoded at once; further ones wait in line. */
export const maxEncodings = 8;
/** The encoding of a sound goes on for this long after its last player has left; a short sound is done by then. */
export const soundAbandonMs = 1_000;
/** An encoding thread that reports nothing for this long while it has work is replaced. */
export const encoderWatchdogMs = 30_000;
/** An encoding thread that sends no packets, because it searches for audio, reports that it works at this interval. */
export const encoderReportMs = 1_000;

mustHold("the cache folder holds more than memory", maxSoundBytes <= maxSoundCacheBytes);
mustHold("every sound that is encoded has its place in memory", maxEncodings <= maxSounds);
mustHold("a thread that works is not replaced", encoderReportMs * 10 <= encoderWatchdogMs);
mustHold("the parsed part of every file is limited before its audio", maxWavSkippedBytes <= maxSoundGapBytes);
