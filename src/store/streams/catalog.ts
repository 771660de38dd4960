/**
 * The catalog: which streams there are and which object each one has. One thread owns it; everything here is
 * synchronous. It is an interface because a deployment over several machines keeps it elsewhere.
 */

import type { Boot } from "../../base/boot.ts";
import type { StreamMetadata } from "./metadata.ts";

/**
 * `unfinished`: being uploaded, or interrupted and resumable. `sealed`: its audio has ended and is on its way to
 * become an object (only inside a commit, or after a crash in one). `finished`: durable.
 */
export type StreamState = "unfinished" | "sealed" | "finished";

export interface StreamRow {
  streamId: string;
  state: StreamState;
  /** Name of the file in incoming/, while there is one. */
  key: string;
  /** Bytes; of an unfinished stream what was there when it was last left. */
  size: number;
  /** Bytes that are on the disk for certain, while the stream is unfinished or sealed. */
  durable: number;
  /** Lower-case hex; null while unfinished. */
  sha256: string | null;
  /** MIME type that the first bytes show, or null. */
  format: string | null;
  /** As whoever created it said. */
  metadata: StreamMetadata;
  /** Milliseconds since 1970. */
  createdAt: number;
  updatedAt: number;
  finishedAt: number | null;
}

export interface ListQuery {
  state: "finished" | "unfinished" | undefined;
  /** Streams with ids behind this one, in the order of their bytes. */
  after: string;
  limit: number;
}

export interface Totals {
  finished: number;
  unfinished: number;
  /** Objects that hold any audio. */
  objects: number;
  /** Their bytes, each object counted once. */
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
  /** Enters an unfinished stream. Returns false, and changes nothing, if the id is in use. */
  reserve(streamId: string, key: string, at: number, metadata?: StreamMetadata): boolean;
  /** Notes how many bytes there are of an unfinished stream. */
  touch(streamId: string, size: number, at: number): void;
  /** Notes that so much of an unfinished stream is on the disk; of one with another key, nothing. */
  secure(streamId: string, key: string, bytes: number): void;
  /** An unfinished stream, all of which is on the disk, becomes a sealed one. */
  seal(stream: SealedStream, at: number): void;
  /** A sealed stream becomes unfinished again. */
  unseal(streamId: string, size: number, at: number): void;
  /** A sealed stream becomes a finished one. */
  finish(streamId: string, at: number): void;
  remove(streamId: string): void;
  /** True if any stream but this one has this object. */
  hasObject(sha256: string, exceptStreamId: string): boolean;
  list(query: ListQuery): StreamRow[];
  /** Unfinished streams that were last touched before this time. */
  untouchedSince(time: number): StreamRow[];
  totals(): Totals;
  /** Every row, sealed ones too. */
  rows(): StreamRow[];
  /** The start of the system in which the rows were last in step with the disk; undefined for a new catalog. */
  boot(): Boot | undefined;
  setBoot(boot: Boot): void;
  /**
   * Runs `change` as one transaction; a throw undoes it. A durable one has reached the disk when this returns, any
   * other survives a crash of the process but perhaps not a power cut.
   */
  transaction<T>(change: () => T, durable: boolean): T;
  close(): void;
}
