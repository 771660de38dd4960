/** What streams need of the archive. */
import type { WavecacheError } from "../../base/errors.ts";
import type { FileRef } from "../../pool/reader.ts";
import type { PartedUpload, StoredUpload } from "../../store/archive/parts/catalog.ts";
import type { RangeReader } from "../songs/stream-song.ts";

/** An upload in progress. */
export interface GrowingUpload {
  readonly streamId: string;
  /** Name of the file in incoming/, once it is ready. */
  readonly key: string;
  /** Resolves with the bytes that the file already has. */
  readonly ready: Promise<number>;
  readonly receivedBytes: number;
  /** Its audio has ended. */
  readonly finishing: Promise<unknown> | undefined;
  readonly over: Promise<void>;
  /** Resolves with the bytes that can be read from the file. */
  readable(wantedBytes: number): Promise<number>;
  evict(error: WavecacheError): void;
}

/** Keeps the audio of finished streams in an object store, too. */
export interface StreamArchive {
  /** The reader of a new connection. */
  assign(order: ReadOrder): RangeReader;
  /** Brings a range of an archived object here. */
  bring(file: FileRef, offset: number, length: number): FileRef | Promise<FileRef>;
  /** Resolves when a finished stream of this object may be acknowledged. Rejects with ARCHIVE_UNAVAILABLE. */
  acknowledged(sha256: string): Promise<void>;
  /** An upload in progress has received audio. Returns at how many bytes to call this again. */
  grew(upload: GrowingUpload): number;
  /**
   * Brings what the archive has of an interrupted upload into its file. Resolves with its bytes, 0 if the archive has lost
   * it. Rejects with UPLOAD_MOVING while it takes longer, ARCHIVE_UNAVAILABLE, CACHE_FULL.
   */
  bringUpload(upload: PartedUpload, stored: StoredUpload): Promise<number>;
  /** Stores what an interrupted upload of `size` bytes has past its last part, before another node takes it over. */
  storeTail(upload: PartedUpload, size: number): Promise<void>;
  /** There is new audio. */
  committed(): void;
  /** Local copies make room for an upload; false if that is impossible. */
  reclaim(bytes: number): boolean;
}

/** `in order`: the reads of a connection are answered in the order of the calls. */
export type ReadOrder = "in order" | "as they come";
