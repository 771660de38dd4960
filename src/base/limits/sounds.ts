/** Limits of sounds for devices. */
import { MiB } from "./units.ts";

/** A sound for devices: its length. */
export const maxSoundMs = 3_600_000;
/** A packet of an Ogg file; the tags are one, and may hold a picture. */
export const maxOggPacketBytes = 16 * MiB;
/** Sounds in memory, those that play among them. */
export const maxSounds = 64;
/** Their packets; past it those that nobody plays are let go, the longest unused first. */
export const maxSoundBytes = 128 * MiB;
/** What a packet in memory takes beside its bytes: its view, and its place in a list. */
export const soundPacketOverheadBytes = 128;
/** Sounds in the cache folder; past it the longest unused go. */
export const maxSoundCacheBytes = 512 * MiB;
/** Sounds that are encoded at once; more wait for their turn. */
export const maxEncodings = 8;
/** How long a sound that nobody waits for any more is still encoded: what is short is done by then. */
export const soundAbandonMs = 1_000;
/** An encoding thread that says nothing for this long though it has work hangs, and is replaced. */
export const encoderSilenceMs = 30_000;
