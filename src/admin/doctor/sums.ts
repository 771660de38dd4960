/** The block checksums that an object should have. */
import * as fs from "node:fs";
import { MiB } from "../../base/limits/units.ts";
import type { BlockSums } from "../../store/streams/sums/sums.ts";
import { Verification } from "../../store/streams/sums/verification.ts";

const pieceBytes = 1 * MiB;

/** Throws OBJECT_DAMAGED if the SHA-256 of the object differs. */
export async function sumsOf(path: string, sha256: string): Promise<BlockSums> {
  const descriptor = fs.openSync(path, "r");
  try {
    const verification = new Verification(descriptor, fs.fstatSync(descriptor).size, sha256);
    const piece = new Uint8Array(pieceBytes);
    for (;;) {
      const sums = verification.step(piece);
      if (sums !== undefined) return sums;
    }
  } finally {
    fs.closeSync(descriptor);
  }
}
