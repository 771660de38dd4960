/** Songs that clients put into the library: admission, limits, and the SHA-256 that later readers need. */
import { WavecacheError } from "../../base/errors.ts";
import { maxLibraryFiles, maxSongUploads } from "../../base/limits/library.ts";
import type { Library } from "../../store/library/library.ts";
import type { InstalledSong, Precondition } from "../../store/library/library-writer.ts";
import { isStorableName } from "../../store/library/names.ts";
import type { PartialSong } from "../../store/library/partial-song.ts";

export interface SongUploadSettings {
  /** Of one song. */
  maxSongBytes: number;
}

export interface StoredSong extends InstalledSong {
  size: number;
  sha256: string;
}

/** What uploads need of the songs. */
export interface KnownSongs {
  /** Remembers the digest of the file with this key. */
  noteDigest(key: string, sha256: string): void;
}

/** A song that is being uploaded. Whoever began it finishes or discards it. */
export interface SongUpload {
  /** Rejects with SONG_TOO_LARGE, DISK_FULL and the like. */
  write(bytes: Uint8Array): Promise<void>;
  /** Makes the song durable; with `sha256`, only if this is its digest. Rejects with DIGEST_WRONG. */
  finish(sha256?: string): Promise<StoredSong>;
  /** Removes what was written, unless the song is finished. */
  discard(): Promise<void>;
}

export class SongUploads {
  readonly #library: Library;
  readonly #songs: KnownSongs;
  readonly #settings: SongUploadSettings;
  #open = 0;

  constructor(library: Library, songs: KnownSongs, settings: SongUploadSettings) {
    this.#library = library;
    this.#songs = songs;
    this.#settings = settings;
  }

  /**
   * Begins a song of this many bytes, or of unknown size. `condition` is asked again when the song gets its name. Rejects
   * with BAD_SONG_NAME, SONG_TOO_LARGE, LIBRARY_FULL, TRANSFERS_EXHAUSTED, DISK_FULL, and what the condition throws.
   */
  async begin(name: string, size: number | undefined, condition: Precondition): Promise<SongUpload> {
    const { writer } = this.#library;
    if (!isStorableName(name)) throw new WavecacheError("BAD_SONG_NAME");
    this.#requireSize(size ?? 0);
    condition(await writer.current(name));
    if ((await this.#library.list()).length >= maxLibraryFiles) throw new WavecacheError("LIBRARY_FULL");
    if (this.#open >= maxSongUploads) throw new WavecacheError("TRANSFERS_EXHAUSTED");
    this.#open += 1;
    try {
      return this.#uploadTo(await writer.begin(size), name, condition);
    } catch (error) {
      this.#open -= 1;
      throw error;
    }
  }

  /** Removes a song. Rejects with SONG_UNKNOWN, BAD_SONG_NAME, and what the condition throws. */
  async remove(name: string, condition: Precondition): Promise<void> {
    const isRemoved = isStorableName(name) && (await this.#library.writer.remove(name, condition));
    if (!isRemoved) throw new WavecacheError("SONG_UNKNOWN", name);
  }

  #uploadTo(file: PartialSong, name: string, condition: Precondition): SongUpload {
    return {
      write: async (bytes) => {
        this.#requireSize(file.size + bytes.length);
        await file.write(bytes);
      },
      finish: async (expected) => {
        const sha256 = await file.seal();
        if (expected !== undefined && expected !== sha256) throw new WavecacheError("DIGEST_WRONG");
        const installed = await this.#library.writer.install(file, name, condition);
        this.#songs.noteDigest(installed.key, sha256);
        return { ...installed, size: file.size, sha256 };
      },
      discard: async () => {
        this.#open -= 1;
        await file.discard();
      },
    };
  }

  #requireSize(bytes: number): void {
    if (bytes > this.#settings.maxSongBytes) throw new WavecacheError("SONG_TOO_LARGE");
  }
}
