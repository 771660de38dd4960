/**
 * An output file. The bytes go to a temporary file in the same folder, and `commit` renames it: a failed download never
 * leaves half a file under the final name. Devices and pipes are written directly.
 *
 * With a content id, the temporary file is kept if the download is interrupted, and the next one of the same content to
 * the same name takes it over. Its name ends with the id of the process that writes it: a file of a living process is
 * never taken over, and taking over is one atomic rename.
 */
import { createHash, randomBytes } from "node:crypto";
import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { mkdir, readdir, realpath, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { systemCode } from "../../base/errors.ts";
import type { AudioSink } from "../../client/legacy/download.ts";
import { CliError, fileError, usageError } from "./failures.ts";
import { statOf } from "./files.ts";

export interface OutputOptions {
  /** Whether an existing file may be replaced; otherwise that is an error. */
  mayReplace?: boolean;
  /** The same for the same content, such as its SHA-256; undefined if the content cannot be told. */
  contentId?: string | undefined;
}

const readBlockBytes = 1024 * 1024;

export class OutputFile implements AudioSink {
  /** The path as the user typed it. */
  readonly path: string;
  /** `path` with its links resolved: the rename replaces the target of a link, not the link. */
  readonly #target: string;
  readonly #temporary: string | undefined;
  #descriptor: number | undefined;
  #isReleased = false;

  private constructor(path: string, target: string, temporary: string | undefined) {
    this.path = path;
    this.#target = target;
    this.#temporary = temporary;
    this.#descriptor = temporary === undefined ? openSync(target, "w") : openSync(temporary, "a+");
  }

  /** Creates missing folders and the temporary file; throws a CliError that names the path. */
  static async create(
    path: string,
    { mayReplace = true, contentId }: OutputOptions = {},
  ): Promise<OutputFile> {
    if (path === "") throw usageError("the output path is empty", "give the path of a file");
    try {
      const existing = await statOf(path);
      if (existing?.isDirectory() === true || path.endsWith("/")) {
        throw new CliError(`the output is a folder: ${path}`, "give the path of a file");
      }
      if (existing !== undefined && !existing.isFile()) return new OutputFile(path, path, undefined);
      if (existing !== undefined && !mayReplace) throw alreadyThere(path);
      await mkdir(dirname(path), { recursive: true });
      const target = existing === undefined ? path : await realpath(path);
      return new OutputFile(path, target, await temporaryFor(target, contentId));
    } catch (error) {
      throw fileError(path, error);
    }
  }

  /** Bytes that an interrupted download of the same content has left; before the first `write`. */
  get keptBytes(): number {
    return this.#temporary === undefined ? 0 : fstatSync(this.#opened).size;
  }

  /** Passes the kept bytes on, in order. A view is valid until the callback returns. */
  readKept(onBytes: (offset: number, bytes: Uint8Array) => void): void {
    const block = new Uint8Array(readBlockBytes);
    try {
      for (let offset = 0; ;) {
        const length = readSync(this.#opened, block, 0, block.length, offset);
        if (length === 0) return;
        onBytes(offset, block.subarray(0, length));
        offset += length;
      }
    } catch (error) {
      throw fileError(this.path, error);
    }
  }

  /** Empties the file: what was kept is not what is wanted. */
  restart(): void {
    if (this.#temporary !== undefined) ftruncateSync(this.#opened);
  }

  /** Synchronous: measured, a trip through the thread pool costs more than writing 64 KiB to the page cache. */
  write(bytes: Uint8Array): void {
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(this.#opened, bytes, at);
    } catch (error) {
      throw fileError(this.path, error);
    }
  }

  /** Overwrites bytes at `position`. Returns false for a device or a pipe, where that is impossible. */
  rewrite(position: number, bytes: Uint8Array): boolean {
    if (this.#temporary === undefined) return false;
    try {
      // The other descriptor appends wherever it writes.
      const descriptor = openSync(this.#temporary, "r+");
      for (let at = 0; at < bytes.length;) {
        at += writeSync(descriptor, bytes, at, bytes.length - at, position + at);
      }
      closeSync(descriptor);
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

  /** Closes the file and keeps its bytes, if any, for the next download of the same content; needs a content id. */
  release(): void {
    this.#isReleased = this.#descriptor !== undefined && this.keptBytes > 0;
    this.#close();
  }

  /** Removes the temporary file unless it is committed or released; safe to call in any state. */
  async discard(): Promise<void> {
    this.#close();
    if (this.#temporary !== undefined && !this.#isReleased) await rm(this.#temporary, { force: true });
  }

  get #opened(): number {
    if (this.#descriptor === undefined) throw new RangeError(`${this.path} is closed`);
    return this.#descriptor;
  }

  #close(): void {
    if (this.#descriptor === undefined) return;
    closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}

export function alreadyThere(path: string): CliError {
  const hint = "overwrite it with --force, or give another with --output FILE";
  return usageError(`there is a file already: ${path}`, hint);
}

/** The path of the temporary file, which an interrupted download may have left there. */
async function temporaryFor(target: string, contentId: string | undefined): Promise<string> {
  const folder = dirname(target);
  if (contentId === undefined) return join(folder, `.wavecache-${randomBytes(6).toString("hex")}.part`);
  const stem = `.wavecache-${createHash("sha256")
    .update(`${basename(target)}\0${contentId}`)
    .digest("hex")
    .slice(0, 16)}.`;
  const own = join(folder, `${stem}${process.pid}.part`);
  for (const name of await readdir(folder)) {
    const pid = name.startsWith(stem) ? /^(\d+)\.part$/.exec(name.slice(stem.length))?.[1] : undefined;
    if (pid !== undefined && !isAlive(Number(pid)) && (await takeOver(join(folder, name), own))) break;
  }
  return own;
}

function isAlive(pid: number): boolean {
  if (pid === process.pid) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) !== "ESRCH";
  }
}

/** False if another process was faster. */
async function takeOver(path: string, own: string): Promise<boolean> {
  try {
    await rename(path, own);
    return true;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return false;
    throw error;
  }
}
