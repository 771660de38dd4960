/**
 * Removes the files of recordings, which retention no longer keeps:
 *
 *     1  both files are unlinked     a crash after the first leaves a recording that says which of its files is missing,
 *                                    and that the next run removes
 *     2  an empty folder goes        with the last recording of its device
 *     3  the row goes                without its files it would go by itself (presence.ts)
 *
 * Nothing outside the folder of recordings is touched: a link in the place of a device's folder is not followed.
 */
import * as fs from "node:fs";
import { dirname, join } from "node:path";
import { systemCode, WavecacheError } from "../../base/errors.ts";
import { failpoint } from "../../base/failpoint.ts";
import { isMissing, removeFile } from "../layout.ts";
import { removeBeside } from "./peaks/files.ts";

/** Steps 1 and 2 for the recording with this name, relative to `folder`. Throws STORE_UNWRITABLE or the system's error. */
export function removeRecordingFiles(folder: string, name: string): void {
  const parent = dirname(name);
  if (!isOwnFolder(folder, parent)) throw new WavecacheError("STORE_UNWRITABLE", `${parent} is no folder`);
  const path = join(folder, name);
  removeFile(`${path}.bin`);
  failpoint("retention.recording");
  removeFile(`${path}.wav`);
  removeBeside(path);
  if (parent !== ".") removeIfEmpty(join(folder, parent));
}

/** Whether the folder of a device lies directly in the folder of recordings, and is no link. A missing one is right. */
function isOwnFolder(folder: string, name: string): boolean {
  if (name === ".") return true;
  if (name === ".." || name.includes("/")) return false;
  const stat = fs.lstatSync(join(folder, name), { throwIfNoEntry: false });
  return stat === undefined || stat.isDirectory();
}

/** A writer that opens a file in it at this moment creates it again. */
function removeIfEmpty(folder: string): void {
  try {
    fs.rmdirSync(folder);
  } catch (error) {
    if (!isMissing(error) && systemCode(error) !== "ENOTEMPTY") throw error;
  }
}
