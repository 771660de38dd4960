/** Limits of sounds for devices. */
import { mustHold } from "./relation.ts";
import { MiB } from "./units.ts";

/** Duration of a sound; a longer one is refused with SOUND_TOO_LONG. */
export const maxSoundMs = 3_600_000;
/** A packet of an Ogg file, including the tags, which may hold a picture; a longer one makes the file unreadable. */
export const maxOggPacketBytes = 16 * MiB;
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

mustHold("the cache folder holds more than memory", maxSoundBytes <= maxSoundCacheBytes);
mustHold("every sound that is encoded has its place in memory", maxEncodings <= maxSounds);
mustHold("an Ogg packet leaves memory for other sounds", maxOggPacketBytes < maxSoundBytes);
