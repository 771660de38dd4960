/** One call that forces a whole file system to the disk, for Linux with the GNU library. */
import { dlopen, FFIType } from "bun:ffi";
import * as fs from "node:fs";

/** Syncs the whole file system that a folder is on. Resolves with false where the platform has no such call. */
export type SyncFileSystem = (folder: string) => Promise<boolean>;

/** Calls `syncfs` on the file system of a folder and blocks until the disk is done. Throws where that fails. */
export type BlockingSync = (folder: string) => void;

/** `syncfs`, or undefined where this system has none that can be called. */
export function loadSyncfs(): BlockingSync | undefined {
  if (process.platform !== "linux") return undefined;
  const library = openLibrary();
  if (library === undefined) return undefined;
  return (folder) => {
    const descriptor = fs.openSync(folder, "r");
    try {
      if (library.symbols.syncfs(descriptor) !== 0) throw new Error(`syncfs of ${folder} failed`);
    } finally {
      fs.closeSync(descriptor);
    }
  };
}

function openLibrary() {
  try {
    return dlopen("libc.so.6", { syncfs: { args: [FFIType.i32], returns: FFIType.i32 } });
  } catch (error) {
    // Another C library: files are synced one by one.
    if (error instanceof Error && "code" in error && error.code === "ERR_DLOPEN_FAILED") return undefined;
    throw error;
  }
}
