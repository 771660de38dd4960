/**
 * What the catalog knows of unfinished uploads whose audio goes to the archive while it comes. An upload has an upload in
 * parts there, under `uploads/<key>.<tag>`, whose row is entered before the first part.
 *
 *                 begin                     finish
 *     (no row) ─────────► parts ─┬──────────────────────► the item of the object has the key, and the parts
 *                         ▲      ├──────────────────────► removed from the archive: the content was there, or
 *                   begin │      │ another node           the stream has gone
 *                         │      ▼ resumes it
 *                         └──── base, an object of the parts so far; it goes once new parts reach as far
 *
 * An object store reads no part of an upload that is not complete, so whoever continues what another node has begun
 * completes it first. That also ends whatever the former owner still sends.
 */

/** A part that the archive has. Parts follow each other without a gap. */
export interface UploadPart {
  /** From 1. */
  number: number;
  /** Bytes. */
  size: number;
  etag: string;
  /** In base64. */
  crc32: string;
  /** Of the block checksums of the part; see `BlockSums.digestOf`. */
  sums: string;
}

/** An object that has the first bytes of an upload. */
export interface UploadBase {
  /** In the bucket, below the prefix. */
  key: string;
  /** What it was made of. */
  parts: UploadPart[];
}

export interface StoredUpload {
  /** In the bucket, below the prefix; empty without an upload in parts. */
  key: string;
  /** Null without one. */
  uploadId: string | null;
  parts: UploadPart[];
  base: UploadBase | undefined;
}

/** An unfinished upload, by its stream and the name of its file in incoming/. */
export interface PartedUpload {
  streamId: string;
  key: string;
}

/** Where in the archive the parts of an upload go. */
export interface PartsRef {
  key: string;
  uploadId: string;
}

export interface PartCatalog {
  find(streamId: string): StoredUpload | undefined;
  /** Of an upload in parts, by number. */
  partsOf(key: string): UploadPart[];
  /** An upload in parts was begun. Returns false, and enters nothing, if the stream has another upload by now, or none. */
  begin(upload: PartedUpload, ref: PartsRef): boolean;
  /** The archive has a part, of an upload or of the item that it has become by now. Returns false as `begin` does. */
  record(upload: PartedUpload, ref: PartsRef, part: UploadPart): boolean;
  /** The archive has forgotten the upload in parts. Returns false if the stream has another upload by now, or none. */
  forget(upload: PartedUpload): boolean;
  /** What lies past the bytes that are here does not count any more: they may come again otherwise. */
  trim(streamId: string, bytes: number): void;
  /** The upload in parts is complete: the first `count` parts of the object `key` are the base from now on. */
  rebase(streamId: string, key: string, count: number): void;
  /** To be called before a stream becomes finished: the item of its object, if that is new, gets the upload in parts. */
  adopt(streamId: string, at: number): void;
  /** What the item has not got is to be removed from the archive. */
  end(streamId: string): void;
  /** Uploads in parts of streams after this id. */
  uploads(after: string, limit: number): { streamId: string; uploadId: string }[];
}

/** Bytes from the beginning that the archive has. */
export function storedBytes({ parts, base }: StoredUpload): number {
  return Math.max(bytesOf(parts), bytesOf(base?.parts ?? []));
}

export function bytesOf(parts: readonly UploadPart[]): number {
  return parts.reduce((sum, { size }) => sum + size, 0);
}
