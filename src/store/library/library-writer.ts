/**
 * Puts songs into the library, and removes them. A crash right after a step leaves:
 *
 *     1  the file in .incoming/ is written and synced   a file that no client sees; a later start removes it
 *     2  missing folders of the name are made           the same, and empty folders
 *     3  the file is renamed to its name                the old song or the new one, as a whole
 *     4  the folder is synced                           the new song, without an answer
 *     5  the request is answered                        the new song
 *
 * The changes of names come one after the other, so a condition on the song of a name still holds at its rename. Other
 * programs may write to the folder at any time.
 */
import { mkdir, readdir, rename, stat, statfs, unlink } from "node:fs/promises";
import { join } from "node:path";
import { WavecacheError } from "../../base/errors.ts";
import { failpoint } from "../../base/failpoint.ts";
import { abandonedSongMs } from "../../base/limits/library.ts";
import { minUploadRoomBytes } from "../../base/limits/streams.ts";
import type { Log } from "../../base/log/log.ts";
import { identityOf, isMissing } from "../layout.ts";
import { meansAbsent } from "./file.ts";
import { incomingFolder } from "./names.ts";
import { PartialSong } from "./partial-song.ts";
import { badNameOr, SongFolder } from "./song-folder.ts";

/** The song that has a name at the moment. */
export interface CurrentSong {
  /** Identifies the file and its content, as far as size and timestamps tell. */
  key: string;
}

/** Throws why the name may not change; undefined stands for a name that no song has. */
export type Precondition = (current: CurrentSong | undefined) => void;

export interface InstalledSong extends CurrentSong {
  /** No song had the name before. */
  isNew: boolean;
}

export class LibraryWriter {
  readonly #root: string;
  readonly #onChange: () => void;
  /** Settles when the last change of a name is over. */
  #last: Promise<void> = Promise.resolve();

  /** `onChange` is called after each change of a name. */
  constructor(root: string, onChange: () => void) {
    this.#root = root;
    this.#onChange = onChange;
  }

  /** The song that has this name. Throws BAD_SONG_NAME if it cannot be that of a song. */
  async current(name: string): Promise<CurrentSong | undefined> {
    try {
      await using folder = await SongFolder.open(this.#root, name, false);
      return folder && (await currentAt(folder.song));
    } catch (error) {
      throw badNameOr(error);
    }
  }

  /** Begins a song of this many bytes, or of unknown size. Throws DISK_FULL, and the system's errors. */
  async begin(bytes = 0): Promise<PartialSong> {
    const { bavail, bsize } = await statfs(this.#root);
    const freeBytes = bavail * bsize;
    if (freeBytes < minUploadRoomBytes + bytes)
      throw new WavecacheError("DISK_FULL", `${freeBytes} bytes are free`);
    const folder = join(this.#root, incomingFolder);
    await mkdir(folder, { recursive: true });
    return await PartialSong.create(join(folder, crypto.randomUUID()));
  }

  /** Gives the sealed song its name, durably. Throws what the condition throws, and BAD_SONG_NAME. */
  async install(song: PartialSong, name: string, condition: Precondition): Promise<InstalledSong> {
    return await this.#alone(async () => {
      await using folder = (await SongFolder.open(this.#root, name, true))!;
      const current = await currentAt(folder.song);
      condition(current);
      failpoint("library.2");
      await rename(song.path, folder.song);
      failpoint("library.3");
      await folder.sync();
      return { isNew: current === undefined, key: (await currentAt(folder.song))?.key ?? "" };
    });
  }

  /** Removes the song, durably. Throws what the condition throws; false if there is none. */
  async remove(name: string, condition: Precondition): Promise<boolean> {
    return await this.#alone(async () => {
      await using folder = await SongFolder.open(this.#root, name, false);
      const current = folder && (await currentAt(folder.song));
      condition(current);
      if (folder === undefined || current === undefined) return false;
      await unlink(folder.song);
      await folder.sync();
      return true;
    });
  }

  /** Removes what uploads of earlier runs have left. A second server may use the folder, so young files stay. */
  async clean(log: Log): Promise<void> {
    const folder = join(this.#root, incomingFolder);
    try {
      for (const name of await readdir(folder)) await removeOld(join(folder, name));
    } catch (error) {
      if (!isMissing(error)) log.warn("cannot remove interrupted uploads of songs", { error });
    }
  }

  async #alone<T>(act: () => Promise<T>): Promise<T> {
    const before = this.#last;
    const { promise, resolve: done } = Promise.withResolvers<void>();
    this.#last = promise;
    await before;
    try {
      return await act();
    } catch (error) {
      throw badNameOr(error);
    } finally {
      this.#onChange();
      done();
    }
  }
}

/** Follows a link, as a reader does. Throws BAD_SONG_NAME for what is no file, such as a folder. */
async function currentAt(path: string): Promise<CurrentSong | undefined> {
  try {
    const found = await stat(path, { bigint: true });
    if (!found.isFile()) throw new WavecacheError("BAD_SONG_NAME", "the name is that of a folder");
    return { key: identityOf(found) };
  } catch (error) {
    if (meansAbsent(error)) return undefined;
    throw error;
  }
}

async function removeOld(path: string): Promise<void> {
  const { mtimeMs } = await stat(path);
  if (Date.now() - mtimeMs > abandonedSongMs) await unlink(path);
}
