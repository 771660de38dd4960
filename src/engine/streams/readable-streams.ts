/** The part of each stream that can be read now: of a finished one all, of one that is uploaded what is written. */
import { WavecacheError } from "../../base/errors.ts";
import { isStreamId } from "../../base/ids/stream-id.ts";
import { maxKnownStreams } from "../../base/limits/streams.ts";
import type { Log } from "../../base/log/log.ts";
import { Lru } from "../../base/lru.ts";
import type { FileRef } from "../../pool/reader.ts";
import { requireReadable } from "../../store/elsewhere.ts";
import type { CacheLayout } from "../../store/layout.ts";
import type { StreamRow } from "../../store/streams/catalog.ts";
import { describeStream, type StreamMetadata } from "../../store/streams/metadata.ts";
import type { Reads } from "../retention/reads.ts";
import type { Upload } from "./upload.ts";

/** The part of a stream that can be read now. */
export interface Readable {
  size: number;
  file: FileRef;
  /** When it was finished, in milliseconds since 1970; undefined while it may grow. */
  finishedAt: number | undefined;
  /** Lower-case hex; undefined while it may grow. */
  sha256: string | undefined;
  /** Identifies the upload; does not change when the upload finishes. */
  key: string;
  metadata: StreamMetadata;
  /** MIME type that the first bytes show; null if they show none, or may still come. */
  format: string | null;
}

/** Where a stream may be. */
export interface ReadableHost {
  /** The current upload of a stream. */
  upload(streamId: string): Upload | undefined;
  find(streamId: string): Promise<StreamRow | null>;
  readonly archive: { readonly hasArchive: boolean };
  /** The part of a stream of another node that can be read; undefined if that is not known here. */
  locateElsewhere(row: StreamRow, wantedBytes: number): Promise<Readable | undefined>;
}

export class ReadableStreams {
  readonly #host: ReadableHost;
  readonly #layout: CacheLayout;
  readonly #reads: Reads<string>;
  readonly #log: Log;
  /** Finished streams that were committed or read lately. */
  readonly #known = new Lru<Readable>(maxKnownStreams);

  constructor(host: ReadableHost, layout: CacheLayout, reads: Reads<string>, log: Log) {
    this.#host = host;
    this.#layout = layout;
    this.#reads = reads;
    this.#log = log;
  }

  /** Finds a finished stream in memory. GETs use this first, as it needs no promise. */
  locateKnown(streamId: string): Readable | undefined {
    const known = this.#known.get(streamId);
    if (known !== undefined) this.#reads.note(streamId);
    return known;
  }

  /**
   * Finds the part of a stream that can be read now. While the stream is uploaded, that is at least `wantedBytes`, if
   * that many were received before this call. Rejects with STREAM_UNKNOWN.
   */
  async locate(streamId: string, wantedBytes: number): Promise<Readable> {
    const upload = this.#host.upload(streamId);
    if (upload !== undefined) {
      try {
        if (upload.finishing === undefined) return await this.#locateUpload(upload, wantedBytes);
        await upload.finishing;
      } catch (error) {
        // The catalog has what the failed upload kept, once that is over.
        this.#log.debug("an upload failed while it was read", { streamId, error });
        await upload.over;
      }
    }
    return this.locateKnown(streamId) ?? (await this.#locateInCatalog(streamId, wantedBytes));
  }

  /** Remembers a finished stream. */
  enter(row: StreamRow): Readable {
    const readable = this.#readableObject(row);
    this.#known.set(row.streamId, readable);
    return readable;
  }

  /** Returns the path of its object, if the stream was known. */
  forget(streamId: string): string | undefined {
    return this.#known.delete(streamId)?.file.path;
  }

  /** These objects are somewhere else now, or will be: look-ups ask the catalog. */
  forgetPaths(paths: readonly string[]): void {
    const gone = new Set(paths);
    for (const [streamId, { file }] of this.#known.entries()) {
      if (gone.has(file.path)) this.#known.delete(streamId);
    }
  }

  /** What is known of a stream is now this. */
  changed(row: StreamRow): void {
    const isKnown = this.#known.get(row.streamId)?.key === row.key;
    if (row.state === "finished" && isKnown) this.#known.set(row.streamId, this.#readableObject(row));
  }

  async #locateUpload(upload: Upload, wantedBytes: number): Promise<Readable> {
    // A resumed upload has no size or key until it is ready.
    await upload.ready;
    const size = await upload.readable(wantedBytes);
    return this.#growing(upload.key, size, upload.metadata);
  }

  async #locateInCatalog(streamId: string, wantedBytes: number): Promise<Readable> {
    this.#reads.note(streamId);
    const row = isStreamId(streamId) ? await this.#host.find(streamId) : null;
    if (row === null) throw new WavecacheError("STREAM_UNKNOWN");
    if (row.otherNode !== undefined && !row.isEvicted) {
      const found = await this.#host.locateElsewhere(row, wantedBytes);
      if (found !== undefined) return found;
    }
    requireReadable(row, this.#host.archive);
    if (row.state !== "finished") return this.#growing(row.key, row.size, row.metadata);
    // Another node may remove it, and this one would not learn of that.
    return row.otherNode === undefined ? this.enter(row) : this.#readableObject(row);
  }

  #growing(key: string, size: number, metadata: StreamMetadata): Readable {
    const file = { path: this.#layout.incomingPath(key), immutable: false };
    return { size, file, finishedAt: undefined, sha256: undefined, key, metadata, format: null };
  }

  #readableObject(row: StreamRow): Readable {
    const sha256 = row.sha256!;
    const { size, key, format, isEvicted: isArchived } = row;
    const file = { path: this.#layout.objectPath(sha256), immutable: true, isArchived };
    return { size, file, finishedAt: row.finishedAt!, sha256, key, metadata: describeStream(row), format };
  }
}
