/**
 * Songs by name: files of the library first, then finished streams of the cache by their id. Doors open them and list
 * them, and know nothing of where they lie.
 */
import { WavecacheError } from "../../base/errors.ts";
import { maxKnownSongs, maxSongsInspected } from "../../base/limits/library.ts";
import { isStreamId } from "../../base/stream-id.ts";
import { type AudioDetails, inspectAudio } from "../../store/library/audio-details.ts";
import type { StreamRow } from "../../store/streams/catalog.ts";
import type { CacheLayout } from "../../store/layout.ts";
import type { Library } from "../../store/library/library.ts";
import { openBelow, type OpenedFile } from "../../store/library/file.ts";
import { Lru } from "../../base/lru.ts";

/** A song that is open. Whoever opened it closes it. */
export interface Song {
  readonly name: string;
  /** Bytes; fixed when it was opened. */
  readonly size: number;
  /** Lower-case hex, where it is known already. */
  readonly sha256: string | undefined;
  /**
   * Exactly these bytes, which must lie within `size`; at the beginning of `into` where that is given. Throws
   * SONG_CHANGED if they are not there any more.
   */
  read(offset: number, length: number, into?: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
  /** Tells the SHA-256 of all bytes as they were read, so that the next one to open the song knows it. */
  noteDigest(sha256: string): Promise<void>;
  close(): Promise<void>;
}

/** A song in a listing. */
export interface SongRow extends AudioDetails {
  name: string;
  /** Bytes. */
  size: number;
}

export interface SongQuery {
  /** Songs with names behind this one, in the order of their UTF-16 units. */
  after: string;
  limit: number;
}

export interface SongPage {
  songs: SongRow[];
  /** The `after` of the next page; null at the end. */
  next: string | null;
}

/** What is needed of the engine: what the catalog knows of a stream. */
export interface Streams {
  find(streamId: string): Promise<StreamRow | null>;
}

export class Songs {
  readonly #library: Library;
  readonly #streams: Streams;
  readonly #layout: CacheLayout;
  readonly #digests = new Lru<string>(maxKnownSongs);
  readonly #details = new Lru<AudioDetails>(maxKnownSongs);

  constructor(library: Library, streams: Streams, layout: CacheLayout) {
    this.#library = library;
    this.#streams = streams;
    this.#layout = layout;
  }

  /** Throws SONG_UNKNOWN; STORE_FAILED and the like if the disk fails. */
  async open(name: string): Promise<Song> {
    const file = await this.#library.find(name);
    if (file !== undefined) return new OpenSong(name, file, this.#digests.get(file.key), this.#digests);
    const stream = isStreamId(name) ? await this.#openStream(name) : undefined;
    if (stream === undefined) throw new WavecacheError("SONG_UNKNOWN", name);
    return stream;
  }

  /** Songs of the library, a page at a time. Streams have a list of their own. */
  async list({ after, limit }: SongQuery): Promise<SongPage> {
    const names = await this.#library.list();
    const from = after === "" ? 0 : names.findIndex((name) => name > after);
    const page = from === -1 ? [] : names.slice(from, from + limit);
    const isLast = from === -1 || from + limit >= names.length;
    return { songs: await this.#describeAll(page), next: isLast ? null : page.at(-1)! };
  }

  async #openStream(streamId: string): Promise<Song | undefined> {
    const row = await this.#streams.find(streamId);
    if (row === null || row.state !== "finished" || row.sha256 === null) return undefined;
    const path = this.#layout.objectPath(row.sha256);
    const file = await openBelow(this.#layout.objects, path);
    if (file === undefined) throw new WavecacheError("OBJECT_MISSING", path);
    return new OpenSong(streamId, file, row.sha256, this.#digests);
  }

  /** In the order of the names; a song that has gone meanwhile is left out. */
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

class OpenSong implements Song {
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
