/** What this process has mapped, as Linux tells it. */
import { readFileSync } from "node:fs";

/** Whether the file is mapped into memory now, also if it was unlinked since. */
export function isMapped(path: string): boolean {
  return readFileSync("/proc/self/maps", "utf8")
    .split("\n")
    .some((line) => line.endsWith(path) || line.endsWith(`${path} (deleted)`));
}
