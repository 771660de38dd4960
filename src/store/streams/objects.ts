/**
 * Finished audio, content-addressed: one immutable file for each SHA-256. A file gets its name only after its bytes
 * are on the disk and is never written again, so readers may memory-map it. Unlinking a mapped file is safe.
 */
import * as fs from "node:fs";
import { type CacheLayout, removeFile, sizeOfFile, syncFolder } from "../layout.ts";

/**
 * Renames a synced file of incoming/ to its object. If the object exists, leaves the file alone and returns false.
 * Adds the folders that the caller must sync to `touched`.
 */
export function installObject(
  layout: CacheLayout,
  incomingPath: string,
  sha256: string,
  size: number,
  touched: Set<string>,
): boolean {
  const path = layout.objectPath(sha256);
  const folder = layout.objectFolder(sha256);
  touched.add(folder);
  if (sizeOfFile(path) === size) return false;
  if (fs.mkdirSync(folder, { recursive: true }) !== undefined) touched.add(layout.objects);
  fs.renameSync(incomingPath, path);
  return true;
}

/** Makes the names of installed objects durable. */
export function syncObjectFolders(touched: Iterable<string>): void {
  for (const folder of touched) syncFolder(folder);
}

export function removeObject(layout: CacheLayout, sha256: string): void {
  removeFile(layout.objectPath(sha256));
}

/** Every file below objects-v1/ as [folder, name], orphans included. */
export function* listObjectFiles(layout: CacheLayout): Iterable<[folder: string, name: string]> {
  for (const folder of fs.readdirSync(layout.objects)) {
    for (const name of fs.readdirSync(`${layout.objects}/${folder}`)) yield [folder, name];
  }
}
