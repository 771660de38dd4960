/** Hashes a file as a whole, a piece at a time, so that other requests of the thread go on. */
import * as fs from "node:fs";
import { WavecacheError } from "../../../src/base/errors.ts";
import { verificationPieceBytes } from "../../../src/base/limits/streams.ts";
import { type CacheLayout, isMissing } from "../../../src/store/layout.ts";
import { writeSums } from "../../../src/store/streams/sums/files.ts";
import type { BlockSums } from "../../../src/store/streams/sums/sums.ts";
import { Verification } from "../../../src/store/streams/sums/verification.ts";

/** Stores the block checksums of the file, if its SHA-256 is right. Rejects with OBJECT_DAMAGED. */
export async function computeSums(
  layout: CacheLayout,
  path: string,
  sha256: string,
  size: number,
): Promise<BlockSums> {
  const sums = await verifiedSums(path, sha256, size);
  writeSums(layout, sha256, sums);
  return sums;
}

/** The block checksums of a file whose SHA-256 is right. Rejects with OBJECT_DAMAGED, OBJECT_MISSING. */
export async function verifiedSums(path: string, sha256: string, size: number): Promise<BlockSums> {
  const descriptor = openObject(path);
  try {
    const verification = new Verification(descriptor, size, sha256);
    const piece = new Uint8Array(verificationPieceBytes);
    for (;;) {
      const sums = verification.step(piece);
      if (sums !== undefined) return sums;
      await new Promise(setImmediate);
    }
  } finally {
    fs.closeSync(descriptor);
  }
}

function openObject(path: string): number {
  try {
    return fs.openSync(path, "r");
  } catch (error) {
    if (isMissing(error)) throw new WavecacheError("OBJECT_MISSING", path);
    throw error;
  }
}
