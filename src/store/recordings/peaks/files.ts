/** The files beside a segment that are made of its samples. They go with it, and are made again if they are lost. */
import { removeFile } from "../../layout.ts";

/** The path of the peaks of a segment; `path` is that of its files, without extension. */
export function peaksPath(path: string): string {
  return `${path}.dat`;
}

/** The path of the levels of a segment. */
export function levelsPath(path: string): string {
  return `${path}.lvl`;
}

/** Those that are there. Throws the system's error. */
export function removeMeasured(path: string): void {
  removeFile(peaksPath(path));
  removeFile(levelsPath(path));
}
