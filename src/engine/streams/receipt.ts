/** The proof that a stream is durable, and whether it is the one that its sender expects. */
import { WavecacheError } from "../../base/errors.ts";
import type { StreamRow } from "../../store/streams/catalog.ts";
import type { Receipt } from "./upload-state.ts";

export function receiptOf({ size, sha256 }: StreamRow): Receipt {
  return { size, sha256: sha256! };
}

export function isOtherDigest(found: { sha256: string }, sha256: string | undefined): boolean {
  return sha256 !== undefined && sha256 !== found.sha256;
}

/** Throws DIGEST_WRONG. */
export function refuseOtherDigest(found: Receipt, sha256: string | undefined): void {
  if (isOtherDigest(found, sha256)) throw new WavecacheError("DIGEST_WRONG");
}
