/** The memory maps of this process (Linux). */
import { readFileSync } from "node:fs";

/** Whether a file is memory-mapped, even if it has been unlinked. */
export function isMapped(path: string): boolean {
  return readFileSync("/proc/self/maps", "utf8")
    .split("\n")
    .some((line) => line.endsWith(path) || line.endsWith(`${path} (deleted)`));
}
