/** What is on the disk of another node of the catalog. */
import { WavecacheError } from "../base/errors.ts";

/** Throws AUDIO_ELSEWHERE if another node has the files of this row. */
export function requireHere({ otherNode }: { otherNode?: string }): void {
  if (otherNode !== undefined) throw new WavecacheError("AUDIO_ELSEWHERE", `node ${otherNode}`);
}

/** As that, unless the archive has the audio, from where every node reads it. */
export function requireReadable(row: { otherNode?: string; isEvicted: boolean }): void {
  if (!row.isEvicted) requireHere(row);
}

/** The other nodes whose transactions wait while this row is removed. */
export function nodesOf({ otherNode }: { otherNode?: string }): string[] {
  return otherNode === undefined ? [] : [otherNode];
}
