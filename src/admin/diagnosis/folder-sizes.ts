/** How many files, and how many bytes, are in each part of a cache folder. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { systemCode } from "../../base/errors.ts";
import { sizeOfFile } from "../../store/layout.ts";

export interface FolderSize {
  files: number;
  bytes: number;
  /** Parts of it that could not be read, by the code of the system. */
  unreadable?: string | undefined;
}

/** By the names of the folder's own entries. */
export function folderSizes(root: string): Record<string, FolderSize> {
  const entries = readdirSync(root, { withFileTypes: true });
  return Object.fromEntries(
    entries.map((entry) => {
      const path = join(root, entry.name);
      return [entry.name, entry.isDirectory() ? sizeOf(path) : { files: 1, bytes: sizeOfFile(path) ?? 0 }];
    }),
  );
}

/** Without following links: the audio of a cache lies in it. */
function sizeOf(folder: string): FolderSize {
  try {
    const files = readdirSync(folder, { withFileTypes: true, recursive: true }).filter((entry) =>
      entry.isFile(),
    );
    const sizes = files.map((entry) => sizeOfFile(join(entry.parentPath, entry.name)) ?? 0);
    return { files: files.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    return { files: 0, bytes: 0, unreadable: code };
  }
}
