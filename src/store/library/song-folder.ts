/**
 * The folder in which a song is stored, held open: a file that is put into it cannot land outside of the library, even
 * while links and folders change concurrently. Where the system has no paths of descriptors, the path is only checked.
 */
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, realpath } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { systemCode, WavecacheError } from "../../base/errors.ts";
import { pathOfDescriptor } from "../held-file.ts";
import { isBelow, nameOfDescriptor } from "./file.ts";
import { existingPath } from "./unicode-forms.ts";

const { O_RDONLY, O_DIRECTORY = 0, O_NOFOLLOW = 0 } = constants;

export class SongFolder implements AsyncDisposable {
  /** Leads to the song while the folder is open. */
  readonly song: string;
  readonly #handle: FileHandle;

  private constructor(handle: FileHandle, song: string) {
    this.#handle = handle;
    this.song = song;
  }

  /**
   * Opens the folder of a song; with `creates`, also one that is missing. Undefined without it. Throws BAD_SONG_NAME if a
   * part of the name is no folder, or leads out of the library.
   */
  static async open(root: string, name: string, creates: boolean): Promise<SongFolder | undefined> {
    try {
      const realRoot = await realpath(root);
      const real = await findFolder(realRoot, dirname(name), creates);
      return real === undefined ? undefined : await SongFolder.#hold(realRoot, real, basename(name));
    } catch (error) {
      throw badNameOr(error);
    }
  }

  static async #hold(root: string, real: string, name: string): Promise<SongFolder> {
    const handle = await open(real, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    try {
      requireWithin(root, (await nameOfDescriptor(handle.fd)) ?? real);
      const path = pathOfDescriptor(handle.fd, real);
      const song = (await existingPath(path, name)) ?? join(path, name.normalize("NFC"));
      return new SongFolder(handle, song);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Makes the names in the folder durable. */
  async sync(): Promise<void> {
    if (process.platform !== "win32") await this.#handle.sync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}

/** The real path of a folder of the library. Undefined if it does not exist, and is not created. */
async function findFolder(root: string, folder: string, creates: boolean): Promise<string | undefined> {
  let real = root;
  for (const segment of folder === "." ? [] : folder.split("/")) {
    const existing = await existingPath(real, segment);
    if (existing === undefined && !creates) return undefined;
    real = existing === undefined ? await createFolder(real, segment) : await realpath(existing);
    requireWithin(root, real);
  }
  return real;
}

async function createFolder(parent: string, name: string): Promise<string> {
  const path = join(parent, name.normalize("NFC"));
  await mkdir(path);
  await syncNames(parent);
  return path;
}

/** Makes the names in a folder durable, without blocking the thread. */
async function syncNames(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  await using handle = await open(folder, O_RDONLY | O_DIRECTORY);
  await handle.sync();
}

function requireWithin(root: string, real: string): void {
  if (real !== root && !isBelow(root, real)) throw new WavecacheError("BAD_SONG_NAME", relative(root, real));
}

/** The codes of a name that is too long, of a link to itself, and of a folder that is a file or the other way round. */
const badNameCodes = new Set(["ENAMETOOLONG", "ELOOP", "ENOTDIR", "EISDIR"]);

/** The error, or BAD_SONG_NAME if it shows that no file can have this name. */
export function badNameOr(error: unknown): unknown {
  const code = systemCode(error);
  return badNameCodes.has(code ?? "") ? new WavecacheError("BAD_SONG_NAME", code) : error;
}
