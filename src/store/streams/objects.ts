/**
 * Finished audio, content-addressed: one immutable file for each SHA-256. A file gets its name only after its bytes
 * are on the disk and is never written again. Readers compare what they read with its block checksums (sums.ts).
 */
import * as fs from "node:fs";
import { systemCode } from "../../base/errors.ts";
import { type CacheLayout, createFolder, removeFile, syncFolder } from "../layout.ts";

/**
 * Renames a synced file of incoming/ to its object. It replaces an object that exists: the writer has just hashed the new
 * file, while nobody knows whether the old one is still whole. Adds the folders that the caller must sync to `touched`.
 */
export function installObject(
  layout: CacheLayout,
  incomingPath: string,
  sha256: string,
  touched: Set<string>,
): void {
  const folder = layout.objectFolder(sha256);
  touched.add(folder);
  if (createFolder(folder)) touched.add(layout.objects);
  replace(incomingPath, layout.objectPath(sha256));
}

/** No file can replace a folder. One in the place of an object is moved aside, as a file without a stream. */
function replace(from: string, to: string): void {
  try {
    fs.renameSync(from, to);
  } catch (error) {
    if (systemCode(error) !== "EISDIR") throw error;
    fs.renameSync(to, `${to}.aside-${Date.now()}`);
    fs.renameSync(from, to);
  }
}

/** Makes the names of installed objects durable. */
export function syncObjectFolders(touched: Iterable<string>): void {
  for (const folder of touched) syncFolder(folder);
}

export function removeObject(layout: CacheLayout, sha256: string): void {
  removeFile(layout.objectPath(sha256));
  removeFile(layout.sumsPath(sha256));
}

/** Whether a file of objects-v1/ has the name of an object: a SHA-256 in lower-case hex. */
export function isObjectName(name: string): boolean {
  return /^[0-9a-f]{64}$/.test(name);
}

export function hasObjects(layout: CacheLayout): boolean {
  const { done } = listObjectFiles(layout)[Symbol.iterator]().next();
  return done !== true;
}

/** Every file below objects-v1/ as [folder, name], orphans included. */
export function* listObjectFiles(layout: CacheLayout): Iterable<[folder: string, name: string]> {
  for (const folder of fs.readdirSync(layout.objects, { withFileTypes: true })) {
    if (!folder.isDirectory()) continue;
    for (const name of fs.readdirSync(`${layout.objects}/${folder.name}`)) yield [folder.name, name];
  }
}
