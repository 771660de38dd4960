/**
 * Reads what is in the page cache, and never waits for a disk: preadv2(2) with RWF_NOWAIT. An asynchronous read goes by way
 * of another thread, which takes longer than to copy a few hundred KiB.
 */
import { FFIType, ptr } from "bun:ffi";
import { loadCFunctions } from "./c-library.ts";

/** Reads to the beginning of `into`, as much as can be read at once: returns the bytes, or 0 if that is nothing. */
export type ReadNow = (descriptor: number, into: Uint8Array, offset: number) => number;

/** Linux: return an error instead of waiting for a disk. */
const RWF_NOWAIT = 8;

let loaded: ReadNow | null | undefined;

/** Undefined if the C library lacks preadv2. */
export function loadReadNow(): ReadNow | undefined {
  if (loaded === undefined) loaded = (process.platform === "linux" && load()) || null;
  return loaded ?? undefined;
}

function load(): ReadNow | undefined {
  const library = loadCFunctions({
    preadv2: { args: ["i32", "ptr", "i32", "i64", "i32"], returns: FFIType.i64_fast },
  });
  if (library === undefined) return undefined;
  // struct iovec: where to, and how many bytes.
  const vector = new BigUint64Array(2);
  const address = ptr(vector);
  return (descriptor, into, offset) => {
    if (into.length === 0) return 0;
    vector[0] = BigInt(ptr(into));
    vector[1] = BigInt(into.length);
    return Math.max(0, Number(library.preadv2(descriptor, address, 1, offset, RWF_NOWAIT)));
  };
}
