/** What is on the disk of another node of the catalog. */
import { WavecacheError } from "../base/errors.ts";

/** Throws AUDIO_ELSEWHERE if another node has the files of this row. */
export function requireHere({ otherNode }: { otherNode?: string }): void {
  if (otherNode !== undefined) throw new WavecacheError("AUDIO_ELSEWHERE", `node ${otherNode}`);
}

/**
 * As that, unless the archive has the audio, from where every node reads it. Throws ARCHIVE_UNAVAILABLE if it has it alone,
 * and the server was started without one.
 */
export function requireReadable(
  row: { otherNode?: string; isEvicted: boolean },
  { hasArchive }: { readonly hasArchive: boolean },
): void {
  if (!row.isEvicted) requireHere(row);
  else if (!hasArchive) throw new WavecacheError("ARCHIVE_UNAVAILABLE", noArchive);
}

/** The other nodes whose transactions wait while this row is removed. */
export function nodesOf({ otherNode }: { otherNode?: string }): string[] {
  return otherNode === undefined ? [] : [otherNode];
}

/** Why audio that is in the archive alone cannot be read. */
export const noArchive = "the server was started without --archive";
