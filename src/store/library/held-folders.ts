/**
 * Opens files of a few folders again and again, such as the recordings of a device. `openBelow` resolves each path from the
 * root, which costs as much as to read a short file. Here a folder is resolved once and held open for a moment:
 *
 *   1. open the file by the descriptor of its folder, without blocking and without following a link;
 *   2. resolve the path of the open file, which must be the one that was asked for.
 *
 * Step 2 finds a folder that was moved or replaced, and a descriptor whose number has another use by then. Whatever is not
 * as expected is left to `openBelow`.
 */
import { constants, fstatSync, readlinkSync } from "node:fs";
import { type FileHandle, open, realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { heldFolderMs, maxHeldFolders } from "../../base/limits/recordings.ts";
import { Lru } from "../../base/lru.ts";
import { descriptorFolder } from "../held-file.ts";
import { isBelow, meansAbsent, openBelow, OpenedFile } from "./file.ts";

const { O_RDONLY, O_DIRECTORY = 0, O_NONBLOCK = 0, O_NOFOLLOW = 0 } = constants;

interface HeldFolder {
  handle: FileHandle;
  real: string;
}

export class HeldFolders {
  readonly #root: string;
  /** By path. */
  readonly #folders = new Lru<Promise<HeldFolder | undefined>>(maxHeldFolders, (_path, folder) =>
    release(folder),
  );

  constructor(root: string) {
    this.#root = root;
  }

  /** The regular file at `path`, which starts with the root. Undefined if there is none. Rejects with the system's error. */
  async open(path: string): Promise<OpenedFile | undefined> {
    return (await this.#openHeld(path)) ?? (await openBelow(this.#root, path));
  }

  /** Closes all folders. */
  close(): void {
    while (this.#folders.size > 0) this.#folders.evictOldest();
  }

  async #openHeld(path: string): Promise<OpenedFile | undefined> {
    if (descriptorFolder === undefined) return undefined;
    try {
      const folder = await this.#hold(dirname(path));
      if (folder === undefined) return undefined;
      const name = basename(path);
      const flags = O_RDONLY | O_NONBLOCK | O_NOFOLLOW;
      const handle = await open(`${descriptorFolder}/${folder.handle.fd}/${name}`, flags);
      return await checked(handle, join(folder.real, name));
    } catch (error) {
      if (meansAbsent(error)) return undefined;
      throw error;
    }
  }

  #hold(path: string): Promise<HeldFolder | undefined> {
    const held = this.#folders.get(path);
    if (held !== undefined) return held;
    const folder = openFolder(this.#root, path);
    this.#folders.set(path, folder);
    // A link may lead elsewhere later, and a disk that is in use cannot be unmounted.
    setTimeout(() => this.#forget(path, folder), heldFolderMs).unref();
    return folder;
  }

  #forget(path: string, folder: Promise<HeldFolder | undefined>): void {
    if (this.#folders.get(path) !== folder) return;
    this.#folders.delete(path);
    release(folder);
  }
}

async function openFolder(root: string, path: string): Promise<HeldFolder | undefined> {
  const [realRoot, real] = [await realpath(root), await realpath(path)];
  if (real !== realRoot && !isBelow(realRoot, real)) return undefined;
  return { handle: await open(real, O_RDONLY | O_DIRECTORY | O_NOFOLLOW), real };
}

/** A folder that could not be opened needs no release; whoever asked for it got the error. */
function release(folder: Promise<HeldFolder | undefined>): void {
  void folder.then(
    (held) => held?.handle.close(),
    () => undefined,
  );
}

/** The calls are for an open file, so they wait for no disk. */
async function checked(handle: FileHandle, expected: string): Promise<OpenedFile | undefined> {
  const stat = fstatSync(handle.fd, { bigint: true });
  const isRight = stat.isFile() && readlinkSync(`${descriptorFolder}/${handle.fd}`) === expected;
  if (isRight) return new OpenedFile(handle, expected, stat);
  await handle.close();
  return undefined;
}
