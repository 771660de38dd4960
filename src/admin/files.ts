/** Copies of whole files that a crash leaves either complete or absent. */
import * as fs from "node:fs";
import { dirname } from "node:path";
import { systemCode } from "../base/errors.ts";
import { isMissing, removeFile, sizeOfFile, syncFile, syncFolder } from "../store/layout.ts";

export type CopyOutcome = "linked" | "copied";

/** The file systems differ, or this one has no or no more links. */
const unlinkable: ReadonlySet<string | undefined> = new Set([
  "EXDEV",
  "EPERM",
  "EMLINK",
  "ENOTSUP",
  "ENOSYS",
]);

/** Links `to` to the same file, or copies it where that is impossible. Replaces what is there. */
export async function linkOrCopy(from: string, to: string): Promise<CopyOutcome> {
  const draft = draftOf(to);
  try {
    fs.linkSync(from, draft);
  } catch (error) {
    if (!unlinkable.has(systemCode(error))) throw error;
    return await copy(from, to);
  }
  fs.renameSync(draft, to);
  // A rename does nothing if both names are links to the same file.
  removeFile(draft);
  return "linked";
}

/** Copies a file and syncs it, sharing its blocks where the file system can. Replaces what is there. */
export async function copy(from: string, to: string): Promise<CopyOutcome> {
  const draft = draftOf(to);
  await fs.promises.copyFile(from, draft, fs.constants.COPYFILE_FICLONE);
  fs.chmodSync(draft, 0o600);
  await syncFile(draft);
  fs.renameSync(draft, to);
  return "copied";
}

function draftOf(path: string): string {
  fs.mkdirSync(dirname(path), { recursive: true });
  const draft = `${path}.draft`;
  removeFile(draft);
  return draft;
}

/** SHA-256 in lower-case hex. */
export async function digestOf(path: string): Promise<string> {
  const hasher = new Bun.CryptoHasher("sha256");
  for await (const block of Bun.file(path).stream()) hasher.update(block);
  return hasher.digest("hex");
}

/** Whether the file has this size and, if it is asked for, this content. */
export async function isSound(path: string, size: number, sha256: string, deep: boolean): Promise<boolean> {
  if (sizeOfFile(path) !== size) return false;
  return !deep || (await digestOf(path)) === sha256;
}

/** Makes the names in these folders durable, and in the folder above them. */
export function syncFolders(above: string, folders: Iterable<string>): void {
  for (const folder of folders) syncFolder(folder);
  if (fs.existsSync(above)) syncFolder(above);
}

/** The names in a folder; none if it does not exist. */
export function namesIn(folder: string): string[] {
  try {
    return fs.readdirSync(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
