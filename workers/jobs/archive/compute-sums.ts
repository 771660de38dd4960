/** Hashes a file as a whole, a piece at a time, so that other requests of the thread go on. */
import * as fs from "node:fs";
import { verificationPieceBytes } from "../../../src/base/limits/streams.ts";
import type { CacheLayout } from "../../../src/store/layout.ts";
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
  const descriptor = fs.openSync(path, "r");
  try {
    const verification = new Verification(descriptor, size, sha256);
    const piece = new Uint8Array(verificationPieceBytes);
    for (;;) {
      const sums = verification.step(piece);
      if (sums !== undefined) {
        writeSums(layout, sha256, sums);
        return sums;
      }
      await new Promise(setImmediate);
    }
  } finally {
    fs.closeSync(descriptor);
  }
}
