/** `syncfs`, one call that syncs a whole file system, for Linux with the GNU C library. */
import { dlopen, FFIType } from "bun:ffi";
import * as fs from "node:fs";

/** Syncs the whole file system of a folder. Resolves with false on platforms without such a call. */
export type SyncFileSystem = (folder: string) => Promise<boolean>;

/** Calls `syncfs` on the file system of a folder and blocks until the disk is done. Throws if the call fails. */
export type BlockingSync = (folder: string) => void;

/** `syncfs`, or undefined on platforms without it. */
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
    // Another C library, for example musl: callers fall back to one sync a file.
    if (error instanceof Error && "code" in error && error.code === "ERR_DLOPEN_FAILED") return undefined;
    throw error;
  }
}
