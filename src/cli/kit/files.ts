/** The source file of an upload, and names of output files. */
import { open, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { systemCode } from "../../base/errors.ts";
import type { AudioSource } from "../../client/audio-source.ts";
import { CliError, fileError, usageError } from "./failures.ts";
import { fileTime } from "./text.ts";

/** The folder for output files if the user names none. */
export const outputFolder = join("audio", "output");

/** A file as the source of an upload; the caller closes it. */
export interface FileSource extends AudioSource {
  close(): Promise<void>;
}

/** Opens a regular file for reading at any offset; throws a CliError that names the path for anything else. */
export async function openSource(path: string): Promise<FileSource> {
  if (path === "") throw usageError("the input path is empty", "give the path of a file");
  try {
    await refuseUnlessRegularFile(path);
    const file = await open(path, "r");
    const { size, mtimeMs } = await file.stat();
    const isTouched = async () => {
      const now = await file.stat();
      return now.size !== size || now.mtimeMs !== mtimeMs;
    };
    return { sizeBytes: size, read: reader(path, file), isTouched, close: () => file.close() };
  } catch (error) {
    throw fileError(path, error);
  }
}

/** Runs before the open: opening a named pipe without a writer would block for ever. */
async function refuseUnlessRegularFile(path: string): Promise<void> {
  const stats = await stat(path);
  if (stats.isDirectory()) throw new CliError(`is a folder: ${path}`, "give the path of a file");
  if (!stats.isFile()) throw new CliError(`is not a regular file: ${path}`, "copy it into a file first");
}

interface Readable {
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }>;
}

/** Reads into one reused buffer, which grows to the longest read. */
function reader(path: string, file: Readable): AudioSource["read"] {
  let buffer = new Uint8Array(0);
  return async (offset, length) => {
    if (buffer.length < length) buffer = new Uint8Array(length);
    let filled = 0;
    try {
      while (filled < length) {
        const { bytesRead } = await file.read(buffer, filled, length - filled, offset + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
    } catch (error) {
      throw fileError(path, error);
    }
    return buffer.subarray(0, filled);
  };
}

/** Undefined if there is no such file. */
export async function statOf(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Makes a file name of an untrusted name: without folders, other characters become "_". */
export function safeFileName(name: string): string {
  const safe = basename(name).replace(/[^\p{L}\p{N}._ -]/gu, "_");
  // File systems allow 255 bytes. The end stays, because it has the extension.
  return Buffer.from(safe).length <= 200 ? safe : safe.slice(-50);
}

/** `audio/output/output-{time}-{name}`, with the name made safe. */
export function defaultOutput(name: string, now: Date = new Date()): string {
  return join(outputFolder, `output-${fileTime(now)}-${safeFileName(name)}`);
}

/** False also if the path is missing or unreadable: opening it reports the cause. */
export async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}

/** Whether two paths lead to the same existing file. */
export async function isSameFile(a: string, b: string): Promise<boolean> {
  const [first, second] = [await statOf(a), await statOf(b)];
  if (first === undefined || second === undefined) return false;
  return first.dev === second.dev && first.ino === second.ino;
}
