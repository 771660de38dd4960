/** Files at both ends: the one to upload, read at any offset, and the one a download becomes. */
import { randomBytes } from "node:crypto";
import { closeSync, openSync, writeSync } from "node:fs";
import { mkdir, open, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { systemCode } from "../../base/errors.ts";
import type { AudioSink } from "../../client/legacy/download.ts";
import type { AudioSource } from "../../client/audio-source.ts";
import { CliError, fileError, usageError } from "./failures.ts";
import { fileTime } from "./text.ts";

/** Where files go whose place the user does not say. */
export const outputFolder = join("audio", "output");

/** A file as the source of an upload; close it in the end. */
export interface FileSource extends AudioSource {
  close(): Promise<void>;
}

/** Opens a regular file; anything else is a CliError that names the path. */
export async function openSource(path: string): Promise<FileSource> {
  if (path === "") throw usageError("the input path is empty", "give the path of a file");
  try {
    await refuseOtherThanFile(path);
    const file = await open(path, "r");
    const { size } = await file.stat();
    return { sizeBytes: size, read: reader(path, file), close: () => file.close() };
  } catch (error) {
    throw fileError(path, error);
  }
}

/** Before opening, because opening a pipe that nobody writes to would wait for ever. */
async function refuseOtherThanFile(path: string): Promise<void> {
  const stats = await stat(path);
  if (stats.isDirectory()) throw new CliError(`is a folder: ${path}`, "give the path of a file");
  if (!stats.isFile()) throw new CliError(`is not a regular file: ${path}`, "copy it into a file first");
}

interface Readable {
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }>;
}

/** A read function with one buffer, which grows to the longest read. */
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
 * A file in the making. Bytes go to a temporary file beside it, which takes its name in the end, so that the name
 * never stands for half a file. Devices and pipes are written to as they are.
 */
export class OutputFile implements AudioSink {
  /** The path as the user gave it. */
  readonly path: string;
  /** Where the bytes belong: links are followed, so that they stay links. */
  readonly #target: string;
  readonly #temporary: string | undefined;
  #descriptor: number | undefined;

  private constructor(path: string, target: string, temporary: string | undefined) {
    this.path = path;
    this.#target = target;
    this.#temporary = temporary;
    this.#descriptor = temporary === undefined ? openSync(target, "w") : openSync(temporary, "wx");
  }

  /** Makes the folders and the temporary file; throws a CliError that names the path. */
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

  /** Writes in the calling thread: measured, a turn through the thread pool costs more than 64 KiB to the page cache. */
  write(bytes: Uint8Array): void {
    if (this.#descriptor === undefined) throw new RangeError(`${this.path} is closed`);
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(this.#descriptor, bytes, at);
    } catch (error) {
      throw fileError(this.path, error);
    }
  }

  /** Writes over bytes that are there already; true unless this is a device or a pipe, where nothing can be changed. */
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

  /** Gives the file its name. */
  async commit(): Promise<void> {
    this.#close();
    if (this.#temporary === undefined) return;
    try {
      await rename(this.#temporary, this.#target);
    } catch (error) {
      throw fileError(this.path, error);
    }
  }

  /** Removes what is not committed. */
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

/** A name from a server as one of a file: only harmless characters stay. */
export function plainName(name: string): string {
  const harmless = basename(name).replace(/[^\p{L}\p{N}._ -]/gu, "_");
  // File systems allow 255 bytes; what a name ends with tells its kind.
  return Buffer.from(harmless).length <= 200 ? harmless : harmless.slice(-50);
}

/** `audio/output/output-{time}-{name}`, with the plain name. */
export function defaultOutput(name: string, now: Date = new Date()): string {
  return join(outputFolder, `output-${fileTime(now)}-${plainName(name)}`);
}

/** False for what is not there, or cannot be looked at: whoever opens it says why. */
export async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}

/** Whether two paths are the same file; a path that does not exist is no file. */
export async function isSameFile(a: string, b: string): Promise<boolean> {
  const [first, second] = [await statOf(a), await statOf(b)];
  if (first === undefined || second === undefined) return false;
  return first.dev === second.dev && first.ino === second.ino;
}
