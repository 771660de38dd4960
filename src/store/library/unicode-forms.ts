/**
 * Unicode encodes the same letters in two forms (NFC, NFD), and file systems and clients differ in the form they use. A
 * name of the library means the same file in both.
 */
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { meansAbsent } from "./file.ts";

/** The path of what is in the folder under this name, in whichever form. Undefined if there is nothing. */
export async function existingPath(folder: string, name: string): Promise<string | undefined> {
  for (const form of new Set([name, name.normalize("NFC"), name.normalize("NFD")])) {
    const path = join(folder, form);
    try {
      await lstat(path);
      return path;
    } catch (error) {
      if (!meansAbsent(error)) throw error;
    }
  }
  return undefined;
}
