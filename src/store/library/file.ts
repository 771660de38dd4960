/**
 * Opens files below a folder and never outside of it, even while links and folders change concurrently:
 *
 *   1. resolve the real path, which must lie below the folder;
 *   2. check that it is a regular file: opening a device may trigger it, and opening a pipe waits for a writer;
 *   3. open it without blocking and without following a link in the last component;
 *   4. resolve the path of the open descriptor, since a folder may have become a link after step 1.
 *
 * Reads use positions on the descriptor. Library files are never memory-mapped: truncating a mapped file would end the
 * process with SIGBUS.
 */
import * as fs from "node:fs";
import { open, lstat, readlink, realpath, type FileHandle } from "node:fs/promises";
import { sep } from "node:path";
import { systemCode, WavecacheError } from "../../base/errors.ts";
import { loadReadNow } from "../../base/system/read-now.ts";
import { pathOfDescriptor } from "../held-file.ts";
import { identityOf } from "../layout.ts";

const { O_RDONLY, O_NONBLOCK = 0, O_NOFOLLOW = 0 } = fs.constants;

/** A regular file that is open for reading. */
export class OpenedFile {
  /** Size in bytes when the file was opened. */
  readonly size: number;
  /** Identifies the file and its content, as far as size and timestamps tell. */
  readonly key: string;
  /** When its content changed last, in milliseconds since 1970. */
  readonly modifiedAt: number;
  readonly #handle: FileHandle;
  readonly #real: string;
  #onClose: () => void = () => {};

  constructor(handle: FileHandle, real: string, stat: fs.BigIntStats) {
    this.#handle = handle;
    this.#real = real;
    this.modifiedAt = Number(stat.mtimeMs);
    this.size = Number(stat.size);
    this.key = identityOf(stat);
  }

  /** A path that leads to this file while it is open, whatever happens to its name. */
  get path(): string {
    return pathOfDescriptor(this.#handle.fd, this.#real);
  }

  /** For reads by another thread of this process, while this file is open. */
  get descriptor(): number {
    return this.#handle.fd;
  }

  /**
   * Reads exactly these bytes, which must lie within `size`. Reads to the beginning of `into` if it is given, which
   * saves an allocation. Throws SONG_CHANGED if the file was truncated.
   */
  async read(
    offset: number,
    length: number,
    into?: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer>> {
    if (offset < 0 || length < 0 || offset + length > this.size)
      throw new RangeError(`${offset}+${length} is not within ${this.size} bytes`);
    const bytes = into?.subarray(0, length) ?? new Uint8Array(length);
    for (let filled = readNowOf(this.#handle, bytes, offset); filled < length;) {
      const { bytesRead } = await this.#handle.read(bytes, filled, length - filled, offset + filled);
      if (bytesRead === 0) throw new WavecacheError("SONG_CHANGED");
      filled += bytesRead;
    }
    return bytes;
  }

  /** Whether size and timestamps are those at the time of opening. */
  async isUnchanged(): Promise<boolean> {
    return identityOf(await this.#handle.stat({ bigint: true })) === this.key;
  }

  /** `listener` is called when the file is closed. */
  onClose(listener: () => void): void {
    this.#onClose = listener;
  }

  async close(): Promise<void> {
    this.#onClose();
    await this.#handle.close();
  }
}

/** What of the bytes can be read without waiting; the rest is left to another thread. */
function readNowOf({ fd }: FileHandle, into: Uint8Array, offset: number): number {
  return loadReadNow()?.(fd, into, offset) ?? 0;
}

/** Opens the regular file at `path` below `folder`, which may itself be a link. Undefined if there is none. */
export async function openBelow(folder: string, path: string): Promise<OpenedFile | undefined> {
  try {
    const [root, real] = [await realpath(folder), await realpath(path)];
    if (!isBelow(root, real) || !(await lstat(real)).isFile()) return undefined;
    return await openChecked(root, real);
  } catch (error) {
    if (meansAbsent(error)) return undefined;
    throw error;
  }
}

async function openChecked(root: string, real: string): Promise<OpenedFile | undefined> {
  const handle = await open(real, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
  try {
    const stat = await handle.stat({ bigint: true });
    if (stat.isFile() && (await liesBelow(root, real, handle, stat)))
      return new OpenedFile(handle, real, stat);
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  return undefined;
}

/** Linux can resolve a descriptor. Elsewhere, checks that the path still leads to the opened file without a link. */
async function liesBelow(
  root: string,
  real: string,
  handle: FileHandle,
  stat: fs.BigIntStats,
): Promise<boolean> {
  const opened = await nameOfDescriptor(handle.fd);
  if (opened !== undefined) return isBelow(root, opened);
  if ((await realpath(real)) !== real) return false;
  const there = await lstat(real, { bigint: true });
  return there.ino === stat.ino && there.dev === stat.dev && (await realpath(real)) === real;
}

/** The real path of what is open. Undefined where the system cannot tell. */
export async function nameOfDescriptor(descriptor: number): Promise<string | undefined> {
  if (process.platform !== "linux") return undefined;
  try {
    return await readlink(`/proc/self/fd/${descriptor}`);
  } catch (error) {
    // This container has no /proc.
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Whether a real path lies below another. */
export function isBelow(root: string, real: string): boolean {
  return real.startsWith(root.endsWith(sep) ? root : root + sep);
}

const absentCodes = new Set([
  "ENOENT",
  "ENOTDIR",
  "EISDIR",
  "ELOOP",
  "ENAMETOOLONG",
  "EINVAL",
  "EACCES",
  "EPERM",
  // O_NONBLOCK and O_NOFOLLOW fail with these if a pipe, a socket or a link has just replaced the file.
  "ENXIO",
  "EMLINK",
]);

/** Whether a system error means that there is no readable file, as opposed to a failing disk. */
export function meansAbsent(error: unknown): boolean {
  return absentCodes.has(systemCode(error) ?? "");
}
