/** What the system says of itself in files, as Linux does below /proc. */
import { readFileSync } from "node:fs";

/** The text of such a file, without the line's end; undefined on other systems, and where a sandbox hides it. */
export function systemText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}
