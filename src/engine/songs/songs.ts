/**
 * Songs by name: a file of the library, or else the finished stream with that id. Gateways open and list songs without
 * knowing where they are stored.
 */
import { WavecacheError } from "../../base/errors.ts";
import { inspectBytes, maxKnownSongs, maxSongsInspected } from "../../base/limits/library.ts";
import { isStreamId } from "../../base/ids/stream-id.ts";
import { type AudioDetails, audioTypeOf, inspectAudio } from "../../store/library/audio-details.ts";
import type { StreamRow } from "../../store/streams/catalog.ts";
import { requireReadable } from "../../store/elsewhere.ts";
import type { CacheLayout } from "../../store/layout.ts";
import type { Library } from "../../store/library/library.ts";
import type { OpenedFile } from "../../store/library/file.ts";
import { Lru } from "../../base/lru.ts";
import type { Song } from "./song.ts";
import { checkObject, type RangeReader, StreamSong } from "./stream-song.ts";

/** A song in a listing. */
export interface SongRow extends AudioDetails {
  name: string;
  /** Bytes. */
  size: number;
}

export interface SongQuery {
  /** Only names that sort after this one, by UTF-16 units. */
  after: string;
  limit: number;
  /** Leaves out the other names; all are listed without it. */
  isVisible?: (name: string) => boolean;
}

export interface SongPage {
  songs: SongRow[];
  /** The `after` of the next page; null at the end. */
  next: string | null;
}

/** Finds streams in the catalog, and reads them. */
export interface StreamSource {
  readonly hasArchive: boolean;
  find(streamId: string): Promise<StreamRow | null>;
  assignReader(): RangeReader;
  /** Retention keeps the stream until the returned function is called. */
  hold(streamId: string): () => void;
}

export class Songs {
  readonly #library: Library;
  readonly #streams: StreamSource;
  readonly #layout: CacheLayout;
  readonly #digests = new Lru<string>(maxKnownSongs);
  readonly #details = new Lru<AudioDetails>(maxKnownSongs);

  constructor(library: Library, streams: StreamSource, layout: CacheLayout) {
    this.#library = library;
    this.#streams = streams;
    this.#layout = layout;
  }

  /**
   * `mayRead`: where the song may come from. Rejects with SONG_UNKNOWN, or with STORE_FAILED and the like if the disk
   * fails.
   */
  async open(name: string, mayRead: (folder: "library" | "streams") => boolean = () => true): Promise<Song> {
    const file = mayRead("library") ? await this.#library.find(name) : undefined;
    if (file !== undefined) return new LibrarySong(name, file, this.#digests.get(file.key), this.#digests);
    const stream = isStreamId(name) && mayRead("streams") ? await this.#openStream(name) : undefined;
    if (stream === undefined) throw new WavecacheError("SONG_UNKNOWN", name);
    return stream;
  }

  /** Opens a file of the library, with its type. The caller closes it. Rejects with SONG_UNKNOWN. */
  async openFile(name: string): Promise<{ file: OpenedFile; type: string }> {
    const file = await this.#library.find(name);
    if (file === undefined) throw new WavecacheError("SONG_UNKNOWN", name);
    try {
      return { file, type: this.#details.get(file.key)?.type ?? (await audioTypeOf(name, file)) };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** The SHA-256 of a file of the library, in hex. Reads the whole file unless the digest is known. Rejects with SONG_UNKNOWN. */
  async digestOf(name: string): Promise<string> {
    const song = await this.open(name, (folder) => folder === "library");
    try {
      return song.sha256 ?? (await digestOf(song));
    } finally {
      await song.close();
    }
  }

  /** Remembers the digest of the file with this key. */
  noteDigest(key: string, sha256: string): void {
    this.#digests.set(key, sha256);
  }

  /** Lists the library, a page at a time. Streams are not included. */
  async list({ after, limit, isVisible = () => true }: SongQuery): Promise<SongPage> {
    const names = (await this.#library.list()).filter((name) => isVisible(name));
    const from = after === "" ? 0 : names.findIndex((name) => name > after);
    const page = from === -1 ? [] : names.slice(from, from + limit);
    const isLast = from === -1 || from + limit >= names.length;
    return { songs: await this.#describeAll(page), next: isLast ? null : page.at(-1)! };
  }

  async #openStream(streamId: string): Promise<Song | undefined> {
    const release = this.#streams.hold(streamId);
    let song: Song | undefined;
    try {
      song = await this.#findStream(streamId, release);
    } finally {
      if (song === undefined) release();
    }
    return song;
  }

  async #findStream(streamId: string, release: () => void): Promise<Song | undefined> {
    const row = await this.#streams.find(streamId);
    if (row === null || row.state !== "finished" || row.sha256 === null) return undefined;
    requireReadable(row, this.#streams);
    const { size, sha256 } = row;
    const path = this.#layout.objectPath(sha256);
    if (!row.isEvicted) await checkObject(path, size);
    const file = { path, immutable: true, isArchived: row.isEvicted };
    return new StreamSong({ streamId, size, sha256 }, file, this.#streams.assignReader(), release);
  }

  /** Keeps the order of the names. Leaves out songs that were removed meanwhile. */
  async #describeAll(names: readonly string[]): Promise<SongRow[]> {
    const rows: (SongRow | undefined)[] = Array.from({ length: names.length });
    let next = 0;
    const inspect = async (): Promise<void> => {
      for (let at = next++; at < names.length; at = next++) rows[at] = await this.#describe(names[at]!);
    };
    await Promise.all(Array.from({ length: maxSongsInspected }, inspect));
    return rows.filter((row) => row !== undefined);
  }

  async #describe(name: string): Promise<SongRow | undefined> {
    const file = await this.#library.find(name);
    if (file === undefined) return undefined;
    try {
      const known = this.#details.get(file.key) ?? (await inspectAudio(name, file));
      this.#details.set(file.key, known);
      return { name, size: file.size, ...known };
    } catch (error) {
      if (error instanceof WavecacheError && error.code === "SONG_CHANGED") return undefined;
      throw error;
    } finally {
      await file.close();
    }
  }
}

async function digestOf(song: Song): Promise<string> {
  const hasher = new Bun.CryptoHasher("sha256");
  for (let at = 0; at < song.size; at += inspectBytes)
    hasher.update(await song.read(at, Math.min(inspectBytes, song.size - at)));
  const sha256 = hasher.digest("hex");
  await song.noteDigest(sha256);
  return sha256;
}

class LibrarySong implements Song {
  readonly name: string;
  readonly sha256: string | undefined;
  readonly #file: OpenedFile;
  readonly #digests: Lru<string>;

  constructor(name: string, file: OpenedFile, sha256: string | undefined, digests: Lru<string>) {
    this.name = name;
    this.#file = file;
    this.sha256 = sha256;
    this.#digests = digests;
  }

  get size(): number {
    return this.#file.size;
  }

  read(offset: number, length: number, into?: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
    return this.#file.read(offset, length, into);
  }

  async noteDigest(sha256: string): Promise<void> {
    if (await this.#file.isUnchanged()) this.#digests.set(this.#file.key, sha256);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
