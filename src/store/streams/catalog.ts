/**
 * The catalog: the streams, and the object of each finished stream. One thread owns it, so the interface is
 * synchronous. It is an interface because a deployment over several machines keeps its catalog elsewhere.
 */

import type { Boot } from "../../base/boot.ts";
import type { StreamMetadata } from "./metadata.ts";

/**
 * `unfinished`: being uploaded, or interrupted and resumable. `sealed`: complete, with a commit in progress or cut off
 * by a crash. `finished`: its object is durable.
 */
export type StreamState = "unfinished" | "sealed" | "finished";

export interface StreamRow {
  streamId: string;
  state: StreamState;
  /** Name of the upload's file in incoming/. */
  key: string;
  /** Bytes; for an unfinished stream, when the row was last updated. */
  size: number;
  /** Synced bytes of an unfinished or sealed stream: they survive a power cut. */
  durableBytes: number;
  /** Lower-case hex; null while unfinished. */
  sha256: string | null;
  /** MIME type detected from the first bytes, or null. */
  format: string | null;
  /** From the client that created the stream. */
  metadata: StreamMetadata;
  /** Milliseconds since 1970. */
  createdAt: number;
  updatedAt: number;
  finishedAt: number | null;
}

export interface ListQuery {
  state: "finished" | "unfinished" | undefined;
  /** Lists ids greater than this one, in byte order. */
  after: string;
  limit: number;
}

export interface Totals {
  finished: number;
  unfinished: number;
  /** Objects that are not empty. */
  objects: number;
  /** Bytes of all objects; an object that streams share counts once. */
  objectBytes: number;
}

export interface SealedStream {
  streamId: string;
  size: number;
  sha256: string;
  format: string | null;
}

export interface Catalog {
  find(streamId: string): StreamRow | undefined;
  /** Inserts an unfinished stream. Returns false, and changes nothing, if the id is in use. */
  reserve(streamId: string, key: string, at: number, metadata?: StreamMetadata): boolean;
  /** Updates the size of an unfinished stream; does nothing in any other state. */
  touch(streamId: string, size: number, at: number): void;
  /** Raises the durable bytes of an unfinished stream. The key must match: the id may have a new upload by now. */
  markDurable(streamId: string, key: string, bytes: number): void;
  /** An unfinished stream whose file is synced as a whole becomes sealed. */
  seal(stream: SealedStream, at: number): void;
  /** A sealed stream becomes unfinished again. */
  unseal(streamId: string, size: number, at: number): void;
  /** A sealed stream becomes finished. */
  finish(streamId: string, at: number): void;
  remove(streamId: string): void;
  /** Whether any other stream has this object. */
  hasObject(sha256: string, exceptStreamId: string): boolean;
  list(query: ListQuery): StreamRow[];
  /** Unfinished streams that were last updated before this time. */
  untouchedSince(time: number): StreamRow[];
  totals(): Totals;
  /** Every row, sealed ones too. */
  rows(): StreamRow[];
  /** The boot of the operating system in which rows and files were last in step; undefined for a new catalog. */
  boot(): Boot | undefined;
  setBoot(boot: Boot): void;
  /**
   * Runs `change` as one transaction and rolls it back if `change` throws. A durable transaction is on the disk when
   * this returns. Any other survives a crash of the process, but a power cut may undo it.
   */
  transaction<T>(change: () => T, durable: boolean): T;
  close(): void;
}
