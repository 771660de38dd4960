/**
 * Songs by name: a file of the library, or else the finished stream with that id. Gateways open and list songs without
 * knowing where they are stored.
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

/** An open song. The caller of `open` has to close it. */
export interface Song {
  readonly name: string;
  /** Bytes, fixed when the song was opened. */
  readonly size: number;
  /** Lower-case hex; undefined if it is not known yet. */
  readonly sha256: string | undefined;
  /**
   * Reads exactly these bytes, which must be within `size`, into the beginning of `into` if that is given. Rejects with
   * SONG_CHANGED if the file does not have them any more.
   */
  read(offset: number, length: number, into?: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
  /** Remembers the SHA-256 of the whole song for later openers, unless the file has changed. */
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
  /** Only names that sort after this one, by UTF-16 units. */
  after: string;
  limit: number;
}

export interface SongPage {
  songs: SongRow[];
  /** The `after` of the next page; null at the end. */
  next: string | null;
}

/** Finds streams in the catalog. */
export interface StreamLookup {
  find(streamId: string): Promise<StreamRow | null>;
}

export class Songs {
  readonly #library: Library;
  readonly #streams: StreamLookup;
  readonly #layout: CacheLayout;
  readonly #digests = new Lru<string>(maxKnownSongs);
  readonly #details = new Lru<AudioDetails>(maxKnownSongs);

  constructor(library: Library, streams: StreamLookup, layout: CacheLayout) {
    this.#library = library;
    this.#streams = streams;
    this.#layout = layout;
  }

  /** Rejects with SONG_UNKNOWN, or with STORE_FAILED and the like if the disk fails. */
  async open(name: string): Promise<Song> {
    const file = await this.#library.find(name);
    if (file !== undefined) return new OpenSong(name, file, this.#digests.get(file.key), this.#digests);
    const stream = isStreamId(name) ? await this.#openStream(name) : undefined;
    if (stream === undefined) throw new WavecacheError("SONG_UNKNOWN", name);
    return stream;
  }

  /** Lists the library, a page at a time. Streams are not included. */
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
