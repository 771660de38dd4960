/** Sizes of the rings between threads, and of what crosses them at once. */
import { KiB, MiB } from "./units.ts";

/** Ring from the main thread to a writer: audio on its way to disk. A power of two. */
export const writeRingBytes = 4 * MiB;
/** Ring from the main thread to a reader: requests. A power of two. */
export const readRequestRingBytes = 256 * KiB;
/** Ring from a reader to the main thread: audio on its way out. A power of two. */
export const readDataRingBytes = 4 * MiB;
/** Ring from a writer to the main thread: results. A power of two. */
export const writeResultRingBytes = 256 * KiB;
/** A read longer than this crosses the lane in slices, so that no read can fill it. */
export const readSliceBytes = 256 * KiB;
/** Frames of one stream are joined in the ring up to this size, so that a worker hashes and writes them at once. */
export const maxExtentBytes = 256 * KiB;
/** Unpublished bytes past which the main thread publishes before its batch is over. */
export const publishBytes = 256 * KiB;

const powersOfTwo = { writeRingBytes, readRequestRingBytes, readDataRingBytes, writeResultRingBytes };
for (const [name, bytes] of Object.entries(powersOfTwo)) {
  if ((bytes & (bytes - 1)) !== 0) throw new RangeError(`${name} is not a power of two`);
}
if (readSliceBytes > readDataRingBytes / 4) throw new RangeError("a read slice must leave room in its ring");
if (maxExtentBytes > writeRingBytes / 4) throw new RangeError("an extent must leave room in its ring");
