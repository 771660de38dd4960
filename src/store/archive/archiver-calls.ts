/** Messages between the main thread and the archiver, the thread that talks to the object store. */
import type { ArchiveOperation, BucketSettings, UnfinishedUpload } from "./bucket.ts";
import type { QueuedItem } from "./calls.ts";
import type { ArchiveRemoval } from "./catalog.ts";
import type { PartsRef, StoredUpload, UploadPart } from "./parts/catalog.ts";

/** A piece of an object of the archive. */
export interface FetchTask {
  sha256: string;
  /** Of the object. */
  size: number;
  key: string;
  /** A multiple of the bytes of a piece. */
  offset: number;
}

/** The levels and peaks of a recording. */
export interface MeasuredTask {
  /** Of the `.wav`, with its bytes. */
  key: string;
  size: number;
  /** Of the files, without extension. */
  path: string;
}

/** A part of an unfinished upload. */
export interface PartTask {
  /** Of the file in incoming/. */
  fileKey: string;
  ref: PartsRef;
  number: number;
  /** Of the file. */
  offset: number;
  size: number;
}

/** What came back of an upload. */
export interface RestoredUpload {
  /** Of the object that it came from. */
  baseKey: string;
  /** So many of its parts are here; 0 if the archive has lost it. */
  count: number;
  bytes: number;
}

export interface ArchiverCalls {
  /** Stores an object and its block checksums, or the `.wav` of a recording and what was measured of it. Fails with OBJECT_MISSING or OBJECT_DAMAGED if it is not whole here. */
  put: [args: QueuedItem, result: null];
  /** Begins an upload in parts under this key. Results in its id. */
  beginParts: [args: { key: string }, result: string];
  /** Stores a part of an unfinished upload. Results in null if the archive has forgotten the upload in parts. */
  storePart: [args: PartTask, result: UploadPart | null];
  /**
   * Brings what the archive has of an unfinished upload into its file in incoming/, verified and durable. The upload in
   * parts is complete then.
   */
  restore: [args: { fileKey: string; stored: StoredUpload }, result: RestoredUpload];
  /** Removes what `put` has stored; no error if it is not there. */
  remove: [args: ArchiveRemoval, result: null];
  /**
   * Brings a verified piece into the fetched file of the object. Results in whether the file is whole now: without block
   * checksums only the whole object can be verified. Fails with OBJECT_MISSING or OBJECT_DAMAGED.
   */
  fetch: [args: FetchTask, result: { isWhole: boolean }];
  /** Writes the files. Results in their bytes, or in 0 if the archive does not have them whole. */
  fetchMeasured: [args: MeasuredTask, result: number];
  /** Compares the SHA-256 of a fetched file and makes it durable. Fails with OBJECT_DAMAGED. */
  verify: [args: { sha256: string; size: number }, result: null];
  /** Uploads in parts that were begun, whatever node has begun them. */
  unfinishedUploads: [args: null, result: UnfinishedUpload[]];
  abortUploads: [args: { uploads: UnfinishedUpload[] }, result: null];
}

export type ArchiverCall = keyof ArchiverCalls;

/** The first message to the thread. */
export interface ArchiverStart {
  cacheDir: string;
  recordingsDir: string;
  bucket: BucketSettings;
}

export type ArchiverRequest =
  | { start: ArchiverStart }
  | { serial: number; call: ArchiverCall; args: ArchiverCalls[ArchiverCall][0] }
  | "close";

/** `retryAfterMs`: as the object store asks for. */
export interface ArchiverError {
  number: number;
  detail: string;
  retryAfterMs: number | undefined;
}

export type ArchiverReply =
  | { serial: number; result: unknown }
  | { serial: number; error: ArchiverError }
  /** An upload in parts of this object was begun, or has to begin anew. */
  | { begun: { sha256: string; key: string }; uploadId: string | null }
  /** The object store has answered; status 0 is no answer. */
  | { operation: ArchiveOperation; status: number };
