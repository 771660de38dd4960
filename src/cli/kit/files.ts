/** The source file of an upload and the output file of a download. */
import { randomBytes } from "node:crypto";
import { closeSync, openSync, writeSync } from "node:fs";
import { mkdir, open, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { systemCode } from "../../base/errors.ts";
import type { AudioSink } from "../../client/legacy/download.ts";
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

/**
 * An output file. The bytes go to a temporary file in the same folder, and `commit` renames it: a failed download never
 * leaves half a file under the final name. Devices and pipes are written directly.
 */
export class OutputFile implements AudioSink {
  /** The path as the user typed it. */
  readonly path: string;
  /** `path` with its links resolved: the rename replaces the target of a link, not the link. */
  readonly #target: string;
  readonly #temporary: string | undefined;
  #descriptor: number | undefined;

  private constructor(path: string, target: string, temporary: string | undefined) {
    this.path = path;
    this.#target = target;
    this.#temporary = temporary;
    this.#descriptor = temporary === undefined ? openSync(target, "w") : openSync(temporary, "wx");
  }

  /** Creates missing folders and the temporary file; throws a CliError that names the path. */
  static async create(path: string): Promise<OutputFile> {
    if (path === "") throw usageError("the output path is empty", "give the path of a file");
    try {
      const existing = await statOf(path);
      if (existing?.isDirectory() === true || path.endsWith("/")) {
        throw new CliError(`the output is a folder: ${path}`, "give the path of a file");
      }
      if (existing !== undefined && !existing.isFile()) return new OutputFile(path, path, undefined);
      await mkdir(dirname(path), { recursive: true });
      const target = existing === undefined ? path : await realpath(path);
      const temporary = join(dirname(target), `.wavecache-${randomBytes(6).toString("hex")}.part`);
      return new OutputFile(path, target, temporary);
    } catch (error) {
      throw fileError(path, error);
    }
  }

  /** Synchronous: measured, a trip through the thread pool costs more than writing 64 KiB to the page cache. */
  write(bytes: Uint8Array): void {
    if (this.#descriptor === undefined) throw new RangeError(`${this.path} is closed`);
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(this.#descriptor, bytes, at);
    } catch (error) {
      throw fileError(this.path, error);
    }
  }

  /** Overwrites bytes at `position`. Returns false for a device or a pipe, where that is impossible. */
  rewrite(position: number, bytes: Uint8Array): boolean {
    if (this.#descriptor === undefined) throw new RangeError(`${this.path} is closed`);
    if (this.#temporary === undefined) return false;
    try {
      for (let at = 0; at < bytes.length;) {
        at += writeSync(this.#descriptor, bytes, at, bytes.length - at, position + at);
      }
      return true;
    } catch (error) {
      throw fileError(this.path, error);
    }
  }

  /** Renames the temporary file to the target. */
  async commit(): Promise<void> {
    this.#close();
    if (this.#temporary === undefined) return;
    try {
      await rename(this.#temporary, this.#target);
    } catch (error) {
      throw fileError(this.path, error);
    }
  }

  /** Removes the temporary file unless it is committed; safe to call in any state. */
  async discard(): Promise<void> {
    this.#close();
    if (this.#temporary !== undefined) await rm(this.#temporary, { force: true });
  }

  #close(): void {
    if (this.#descriptor === undefined) return;
    closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}

async function statOf(path: string) {
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
