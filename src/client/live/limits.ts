/** Limits of the live player. Times are of audio. */

/** Audio that is buffered before it plays: it hides that frames arrive unevenly. */
export const jitterMs = 150;
/** An underrun makes the buffer half as long again, up to this. */
export const maxJitterMs = 1_000;
/** More than this above the wanted length is dropped, so that the player stays live. */
export const maxExcessMs = 500;
/** Audio that a buffer can hold; what does not fit is dropped. */
export const jitterCapacityMs = 4_000;
/** How much the playback rate may differ from the sample rate: nobody hears it, and clocks differ by far less. */
export const maxDrift = 0.005;
/** How fast the rate answers: a buffer that is a second too long plays this much faster. */
export const driftPerSecond = 0.05;
/** The length of the buffer is averaged over this time, since each frame makes it jump. */
export const fillAverageMs = 2_000;
/** Audio fades in over this time where it begins or jumps: a jump clicks. */
export const fadeInMs = 5;
/** The worklet reports its state at this interval. */
export const reportMs = 200;
/** After a lost connection, or while there is no recording, the player tries again after this time. */
export const liveRetryMs = 1_000;
