/** What streams need of the archive. */
import type { FileRef } from "../../pool/reader.ts";
import type { RangeReader } from "../songs/stream-song.ts";

/** Keeps the audio of finished streams in an object store, too. */
export interface StreamArchive {
  /** The reader of a new connection. */
  assign(order: ReadOrder): RangeReader;
  /** Brings a range of an archived object here. */
  bring(file: FileRef, offset: number, length: number): FileRef | Promise<FileRef>;
  /** Resolves when a finished stream of this object may be acknowledged. Rejects with ARCHIVE_UNAVAILABLE. */
  acknowledged(sha256: string): Promise<void>;
  /** There is new audio. */
  committed(): void;
  /** Local copies make room for an upload; false if that is impossible. */
  reclaim(bytes: number): boolean;
}

/** `in order`: the reads of a connection are answered in the order of the calls. */
export type ReadOrder = "in order" | "as they come";
