/** Sizes of the rings between threads, and of the pieces that cross them. */
import { mustHold } from "./relation.ts";
import { KiB, MiB } from "./units.ts";

/**
 * Rings between the main thread and a writer or reader. A full ring makes its producer wait: sockets pause, or the
 * thread stops until the consumer has made room. Sizes are powers of two, because positions wrap with a mask.
 */
export const writeRingBytes = 4 * MiB;
export const writeResultRingBytes = 256 * KiB;
export const readRequestRingBytes = 256 * KiB;
export const readDataRingBytes = 4 * MiB;
/** A longer read crosses the ring in slices of this size; otherwise one read could fill it. */
export const readSliceBytes = 256 * KiB;
/** Frames of one stream are joined in the ring up to this size, which a worker then hashes and writes at once. */
export const maxExtentBytes = 256 * KiB;
/** Unpublished bytes at which the main thread publishes before its batch ends: the worker starts earlier. */
export const publishBytes = 256 * KiB;

const rings = { writeRingBytes, writeResultRingBytes, readRequestRingBytes, readDataRingBytes };
for (const [name, bytes] of Object.entries(rings)) {
  mustHold(`${name} is a power of two`, (bytes & (bytes - 1)) === 0);
}
mustHold("four read slices fit their ring", readSliceBytes <= readDataRingBytes / 4);
mustHold("four extents fit their ring", maxExtentBytes <= writeRingBytes / 4);
mustHold("a ring is published before it is a quarter full", publishBytes <= writeRingBytes / 4);
