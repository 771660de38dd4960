/** What streams have of the archive, as long as it is unknown whether there is one. */
import { WavecacheError } from "../../base/errors.ts";
import { verifiedAtOnceBytes } from "../../base/limits/audio-http.ts";
import type { Readers } from "../../pool/readers.ts";
import type { PartedUpload, StoredUpload } from "../../store/archive/parts/catalog.ts";
import { requireReadable } from "../../store/elsewhere.ts";
import type { CacheLayout } from "../../store/layout.ts";
import type { StreamRow } from "../../store/streams/catalog.ts";
import type { RangeReader } from "../songs/stream-song.ts";
import type { GrowingUpload, ReadOrder, StreamArchive } from "./stream-archive.ts";

export class ArchiveLink {
  /** Undefined without one. */
  archive: StreamArchive | undefined;
  readonly #readers: Pick<Readers, "assign">;
  readonly #layout: CacheLayout;

  constructor(readers: Pick<Readers, "assign">, layout: CacheLayout) {
    this.#readers = readers;
    this.#layout = layout;
  }

  get hasArchive(): boolean {
    return this.archive !== undefined;
  }

  /** Assigns a reader to one connection. */
  assign(order: ReadOrder): RangeReader {
    return this.archive?.assign(order) ?? this.#readers.assign();
  }

  /** The path of the whole object of a finished stream, which is brought here. */
  async wholePath(row: StreamRow): Promise<string> {
    requireReadable(row, this);
    const { sha256, size, isEvicted } = row;
    const file = { path: this.#layout.objectPath(sha256!), immutable: true, isArchived: isEvicted };
    let { path } = file;
    if (!isEvicted || this.archive === undefined) return path;
    for (let at = 0; at < size; at += verifiedAtOnceBytes)
      ({ path } = await this.archive.bring(file, at, Math.min(verifiedAtOnceBytes, size - at)));
    return path;
  }

  grew(upload: GrowingUpload): number {
    return this.archive?.grew(upload) ?? Number.POSITIVE_INFINITY;
  }

  /** The catalog asks for it only while there is an archive. */
  bringUpload(upload: PartedUpload, stored: StoredUpload): Promise<number> {
    if (this.archive === undefined) throw new WavecacheError("ARCHIVE_UNAVAILABLE");
    return this.archive.bringUpload(upload, stored);
  }

  async acknowledged(sha256: string): Promise<void> {
    await this.archive?.acknowledged(sha256);
  }
}
