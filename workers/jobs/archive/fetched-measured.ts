/** Fetches the levels and peaks of a recording that another node has, from beside its `.wav` in the archive. */
import { maxPeaksFileBytes } from "../../../src/base/limits/peaks.ts";
import type { MeasuredTask } from "../../../src/store/archive/archiver-calls.ts";
import type { Bucket } from "../../../src/store/archive/bucket.ts";
import { sidecarKeyOf } from "../../../src/store/archive/keys.ts";
import { decodeMeasured, type MeasuredFiles } from "../../../src/store/archive/sidecar.ts";

/** Null if the archive does not have them whole. */
export async function fetchMeasured(
  bucket: Bucket,
  { key, size }: MeasuredTask,
): Promise<MeasuredFiles | null> {
  const file = await bucket.getWhole(sidecarKeyOf(key), 2 * maxPeaksFileBytes);
  return (file && decodeMeasured(file, size)) ?? null;
}
