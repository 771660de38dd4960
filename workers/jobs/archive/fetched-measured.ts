/** Fetches the levels and peaks of a recording from beside its `.wav` in the archive. */
import { writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { maxPeaksFileBytes } from "../../../src/base/limits/peaks.ts";
import type { MeasuredTask } from "../../../src/store/archive/archiver-calls.ts";
import type { Bucket } from "../../../src/store/archive/bucket.ts";
import { sidecarKeyOf } from "../../../src/store/archive/keys.ts";
import { decodeMeasured } from "../../../src/store/archive/sidecar.ts";
import { createFolder } from "../../../src/store/layout.ts";
import { levelsPath, peaksPath } from "../../../src/store/recordings/peaks/files.ts";

/** Bytes of both files; 0 if the archive does not have them whole. A file that is cut by a crash counts as damaged. */
export async function fetchMeasured(bucket: Bucket, { key, size, path }: MeasuredTask): Promise<number> {
  const file = await bucket.getWhole(sidecarKeyOf(key), 2 * maxPeaksFileBytes);
  const found = file && decodeMeasured(file, size);
  if (found === undefined || found.levels.length + found.peaks.length === 0) return 0;
  const folder = dirname(path);
  createFolder(dirname(folder));
  createFolder(folder);
  await writeFile(levelsPath(path), found.levels);
  await writeFile(peaksPath(path), found.peaks);
  return found.levels.length + found.peaks.length;
}
