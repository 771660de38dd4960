/** Reads files in which the system describes itself, such as those of Linux below /proc. */
import { readFileSync } from "node:fs";

/** The text of a file without the line ending; undefined on other systems, and if a sandbox hides the file. */
export function systemText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}
