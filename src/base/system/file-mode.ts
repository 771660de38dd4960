/** Modes of files and folders. */
import { statSync } from "node:fs";

/** Whether the mode of a path permits more than `mode`. Windows has no such modes: false. */
export function permitsMoreThan(path: string, mode: number): boolean {
  return process.platform !== "win32" && (statSync(path).mode & 0o777 & ~mode) !== 0;
}
