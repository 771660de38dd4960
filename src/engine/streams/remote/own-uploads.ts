/** The uploads of this node, as other nodes may have them. */
import { WavecacheError } from "../../../base/errors.ts";
import { maxFollowedBytes } from "../../../base/limits/bus.ts";
import type { FileRef } from "../../../pool/reader.ts";
import type { CacheLayout } from "../../../store/layout.ts";
import type { StreamRow } from "../../../store/streams/catalog.ts";
import type { RangeReader } from "../../songs/stream-song.ts";
import type { CurrentUploads } from "../current-uploads.ts";
import type { StreamArchive } from "../stream-archive.ts";
import type { SharedUploads, UploadPiece } from "./upload-requests.ts";

export interface OwnUploadsHost {
  readonly uploads: CurrentUploads;
  readonly layout: CacheLayout;
  find(streamId: string): Promise<StreamRow | null>;
  remove(streamId: string): Promise<void>;
  archive(): StreamArchive | undefined;
  /** Of finished streams, wherever their audio is. */
  assignReader(): RangeReader;
}

/** What can be read of an upload. */
interface Found {
  file: FileRef;
  size: number;
  isOver: boolean;
}

export class OwnUploads implements SharedUploads {
  readonly #host: OwnUploadsHost;
  #reader: RangeReader | undefined;

  constructor(host: OwnUploadsHost) {
    this.#host = host;
  }

  async release(streamId: string): Promise<number> {
    const { uploads, archive } = this.#host;
    await uploads.giveUp(streamId);
    const row = await this.#ownRow(streamId);
    const { key, size } = row;
    if (row.state === "unfinished") await archive()?.storeTail({ streamId, key }, size);
    return size;
  }

  async remove(streamId: string): Promise<void> {
    await this.#ownRow(streamId);
    await this.#host.remove(streamId);
  }

  async read(streamId: string, key: string, offset: number): Promise<UploadPiece> {
    const { file, size, isOver } = (await this.#growing(streamId, key)) ?? (await this.#still(streamId, key));
    const length = Math.min(maxFollowedBytes, size - offset);
    const audio = length > 0 ? await this.#bytes(file, offset, length) : new Uint8Array(0);
    return { size, isOver, audio };
  }

  /** Undefined if nobody uploads the stream now. */
  async #growing(streamId: string, key: string): Promise<Found | undefined> {
    const upload = this.#host.uploads.all.get(streamId);
    if (upload === undefined || upload.key !== key) return undefined;
    if (upload.finishing !== undefined) {
      await upload.over;
      return undefined;
    }
    const size = await upload.readable(Number.POSITIVE_INFINITY);
    return { file: this.#incoming(key), size, isOver: false };
  }

  /** An upload that was interrupted, or a stream that it has become. */
  async #still(streamId: string, key: string): Promise<Found> {
    const row = await this.#ownRow(streamId);
    if (row.key !== key) throw new WavecacheError("STREAM_UNKNOWN");
    const { size, sha256, isEvicted: isArchived } = row;
    if (row.state !== "finished") return { file: this.#incoming(key), size, isOver: true };
    const path = this.#host.layout.objectPath(sha256!);
    return { file: { path, immutable: true, isArchived }, size, isOver: true };
  }

  #incoming(key: string): FileRef {
    return { path: this.#host.layout.incomingPath(key), immutable: false };
  }

  async #ownRow(streamId: string): Promise<StreamRow> {
    const row = await this.#host.find(streamId);
    if (row === null || row.otherNode !== undefined) throw new WavecacheError("STREAM_UNKNOWN");
    return row;
  }

  #bytes(file: FileRef, offset: number, length: number): Promise<Uint8Array> {
    this.#reader ??= this.#host.assignReader();
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const bytes = new Uint8Array(length);
    let got = 0;
    this.#reader.read(file, offset, length, {
      part: (audio, last) => {
        bytes.set(audio, got);
        got += audio.length;
        if (last) resolve(bytes.subarray(0, got));
      },
      failed: reject,
    });
    return promise;
  }
}
