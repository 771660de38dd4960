/**
 * Opens a file below a folder, and nothing else: whatever links and folders do meanwhile. The order is
 *
 *   1. the real path is asked for, and must lie below the folder;
 *   2. what lies there must be a regular file: opening a device may act on it, and a pipe waits for a writer;
 *   3. it is opened, without waiting and without following a link in its last place;
 *   4. what was opened is asked where it lies, since a folder may have become a link after step 1.
 *
 * Reads are by position from the descriptor. A file of the library is never memory-mapped: whoever truncates it
 * would end the process.
 */
import * as fs from "node:fs";
import { open, lstat, readlink, realpath, type FileHandle } from "node:fs/promises";
import { sep } from "node:path";
import { systemCode, WavecacheError } from "../../base/errors.ts";

const { O_RDONLY, O_NONBLOCK = 0, O_NOFOLLOW = 0 } = fs.constants;

/** A regular file that is open for reading. */
export class OpenedFile {
  /** Bytes when it was opened. */
  readonly size: number;
  /** The same for the same file with the same content, as far as its size and times tell. */
  readonly key: string;
  readonly #handle: FileHandle;

  constructor(handle: FileHandle, stat: fs.BigIntStats) {
    this.#handle = handle;
    this.size = Number(stat.size);
    this.key = keyOf(stat);
  }

  /** For another thread of this process to read from, as long as this is open. */
  get descriptor(): number {
    return this.#handle.fd;
  }

  /**
   * Exactly these bytes, which must lie within `size`; at the beginning of `into` where that is given, which saves the
   * making of memory. Throws SONG_CHANGED if the file has become shorter.
   */
  async read(
    offset: number,
    length: number,
    into?: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer>> {
    if (offset < 0 || length < 0 || offset + length > this.size)
      throw new RangeError(`${offset}+${length} is not within ${this.size} bytes`);
    const bytes = into?.subarray(0, length) ?? new Uint8Array(length);
    for (let filled = 0; filled < length;) {
      const { bytesRead } = await this.#handle.read(bytes, filled, length - filled, offset + filled);
      if (bytesRead === 0) throw new WavecacheError("SONG_CHANGED");
      filled += bytesRead;
    }
    return bytes;
  }

  /** Whether its size and times are what they were when it was opened. */
  async isUnchanged(): Promise<boolean> {
    return keyOf(await this.#handle.stat({ bigint: true })) === this.key;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/** Opens the file at `path` if it lies below `folder`, which may be a link. Undefined if no regular file is there. */
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
    if (stat.isFile() && (await liesBelow(root, real, handle, stat))) return new OpenedFile(handle, stat);
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  return undefined;
}

/** Linux knows the path of a descriptor. Elsewhere the path must still lead, without a link, to what was opened. */
async function liesBelow(
  root: string,
  real: string,
  handle: FileHandle,
  stat: fs.BigIntStats,
): Promise<boolean> {
  const opened = await pathOfDescriptor(handle.fd);
  if (opened !== undefined) return isBelow(root, opened);
  if ((await realpath(real)) !== real) return false;
  const there = await lstat(real, { bigint: true });
  return there.ino === stat.ino && there.dev === stat.dev && (await realpath(real)) === real;
}

async function pathOfDescriptor(descriptor: number): Promise<string | undefined> {
  if (process.platform !== "linux") return undefined;
  try {
    return await readlink(`/proc/self/fd/${descriptor}`);
  } catch (error) {
    // No /proc in this container.
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
  // What O_NONBLOCK and O_NOFOLLOW say of a pipe, a socket or a link that has just taken a file's place.
  "ENXIO",
  "EMLINK",
]);

/** Whether an error of the system means that there is nothing here to be read, rather than that the disk fails. */
export function meansAbsent(error: unknown): boolean {
  return absentCodes.has(systemCode(error) ?? "");
}

function keyOf(stat: fs.BigIntStats): string {
  return `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}`;
}
