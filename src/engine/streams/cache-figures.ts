/** How full the cache is, for the API and the metrics. */
import type { Admission } from "./admission.ts";
import type { StreamCounts } from "./counts.ts";
import type { Upload } from "./upload.ts";

/** How full the cache is, and with what. */
export interface CacheFigures {
  uploading: number;
  /** Uploads whose audio has ended, and is not durable yet. */
  finishing: number;
  /** Interrupted uploads, which can be resumed. */
  interrupted: number;
  finished: number;
  /** Objects that are not empty, and their bytes. */
  objects: number;
  objectBytes: number;
  /** Bytes of current and interrupted uploads. */
  unfinishedBytes: number;
  limitBytes: number;
}

export function cacheFigures(
  uploads: Iterable<Upload>,
  { finished, unfinished, objects }: StreamCounts,
  { objectBytes, unfinishedBytes }: Admission,
  limitBytes: number,
): CacheFigures {
  let all = 0;
  let finishing = 0;
  for (const upload of uploads) {
    all += 1;
    if (upload.finishing !== undefined) finishing += 1;
  }
  return {
    uploading: all - finishing,
    finishing,
    // A new upload is among the uploads before the catalog has counted it.
    interrupted: Math.max(0, unfinished - all),
    finished,
    objects,
    objectBytes,
    unfinishedBytes,
    limitBytes,
  };
}
