/**
 * Saves the catalog after a write or a sync of it has failed. Linux may have dropped pages of the log that it could not
 * write, while the connection still takes them for written: its next checkpoint would copy what is there instead into the
 * catalog, since it only compares checksums when it opens a log. So:
 *
 *     1  file and log are copied, while the failed connection is open and cannot checkpoint
 *     2  SQLite opens the copy, and takes the log up to the first frame with a wrong checksum: every transaction whose
 *        commit succeeded is before it. A checkpoint writes all of that into the copied file, synced
 *     3  the failed connection is closed
 *     4  the copy replaces the catalog, and the old log is removed
 *
 * A crash before step 4 leaves the old files, whose log the next start takes in the same way as step 2. So it does
 * within step 4, where the old log and the copy say the same.
 */
import { Database } from "bun:sqlite";
import * as fs from "node:fs";
import { dirname } from "node:path";
import { removeFile, syncFolder } from "../../layout.ts";

const logSuffixes = ["-wal", "-shm", "-journal"];

/** Steps 1 and 2. Returns the path of the copy. Throws if the disk cannot hold or read it. */
export function copyCatalog(path: string): string {
  const copy = `${path}.rescued`;
  for (const each of [copy, ...logsOf(copy)]) removeFile(each);
  fs.copyFileSync(path, copy, fs.constants.COPYFILE_FICLONE);
  if (fs.existsSync(`${path}-wal`)) fs.copyFileSync(`${path}-wal`, `${copy}-wal`);
  const database = new Database(copy, { strict: true });
  try {
    database.run("PRAGMA synchronous = FULL");
    const checkpoint = database.query<{ busy: number }, []>("PRAGMA wal_checkpoint(TRUNCATE)").get();
    const check = database.query<{ quick_check: string }, []>("PRAGMA quick_check(1)").get();
    if (checkpoint?.busy !== 0 || check?.quick_check !== "ok") {
      throw new Error(`${path} is damaged: ${check?.quick_check}`);
    }
  } finally {
    database.close();
  }
  return copy;
}

/** Step 4. */
export function installCatalog(copy: string, path: string): void {
  fs.renameSync(copy, path);
  for (const each of logsOf(path)) removeFile(each);
  syncFolder(dirname(path));
}

function logsOf(path: string): string[] {
  return logSuffixes.map((suffix) => path + suffix);
}
