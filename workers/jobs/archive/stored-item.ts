/**
 * Stores one object, or the `.wav` of a recording: by one request if it is short, else in parts. The object store compares each body with its
 * checksum, so that damage of the local file or on the way is found before anybody relies on the archive. Storing an
 * object again is harmless: its key stands for its content.
 */
import * as fs from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { failpoint } from "../../../src/base/failpoint.ts";
import { archivePartBytes, archiveReadBytes, minSumsObjectBytes } from "../../../src/base/limits/archive.ts";
import { WavecacheError } from "../../../src/base/errors.ts";
import { ArchiveFailure, type Bucket, type StoredPart } from "../../../src/store/archive/bucket.ts";
import type { ArchiveItem } from "../../../src/store/archive/catalog.ts";
import { hexToBase64, partBytesOf, sidecarKeyOf, sumsKeyOf } from "../../../src/store/archive/keys.ts";
import { encodeSidecar } from "../../../src/store/archive/sidecar.ts";
import { type CacheLayout, isMissing, sizeOfFile } from "../../../src/store/layout.ts";
import { blockBytes, type BlockSums } from "../../../src/store/streams/sums/sums.ts";
import { readSums } from "../../../src/store/streams/sums/files.ts";
import { computeSums, verifiedSums } from "./compute-sums.ts";
import { measuredFiles } from "./measured-files.ts";

export interface PutHost {
  bucket: Bucket;
  layout: CacheLayout;
  recordingsDir: string;
  /** An upload in parts was begun, so that a restart resumes it; null if the one before is gone. */
  begun(item: ArchiveItem, uploadId: string | null): void;
}

export async function storeItem(host: PutHost, item: ArchiveItem): Promise<void> {
  const { bucket, layout, recordingsDir } = host;
  const { sha256, size, key, failures, recording } = item;
  const path = recording === null ? layout.objectPath(sha256) : join(recordingsDir, `${recording}.wav`);
  if (sizeOfFile(path) !== size) throw new WavecacheError("OBJECT_MISSING", path);
  failpoint("archive.put");
  // An answer may have been lost after the store had everything.
  const isThere = failures > 0 && (await bucket.sizeOf(key)) === size;
  const sums = await sumsOf(layout, item, path);
  if (!isThere && size <= archivePartBytes)
    await bucket.put(key, Bun.file(path), { "x-amz-checksum-sha256": hexToBase64(sha256) });
  else if (!isThere) await new PartsUpload(host, item, path, sums!).run();
  failpoint("archive.stored");
  if (sums === undefined) return;
  if (recording === null) await storeFile(bucket, sumsKeyOf(key), sums.encode());
  else
    await storeFile(bucket, sidecarKeyOf(key), encodeSidecar(sums, await measuredFiles(path.slice(0, -4))));
}

/** Undefined for an object that is one piece: the store compares its SHA-256, and so does who reads it back. */
async function sumsOf(
  layout: CacheLayout,
  { sha256, size, recording }: ArchiveItem,
  path: string,
): Promise<BlockSums | undefined> {
  if (recording !== null) return await verifiedSums(path, sha256, size);
  if (size <= minSumsObjectBytes) return undefined;
  return readSums(layout, sha256) ?? (await computeSums(layout, path, sha256, size));
}

async function storeFile(bucket: Bucket, key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  const digest = new Bun.CryptoHasher("sha256").update(bytes).digest("base64");
  await bucket.put(key, new Blob([bytes]), { "x-amz-checksum-sha256": digest });
}

class PartsUpload {
  readonly #host: PutHost;
  readonly #item: ArchiveItem;
  readonly #path: string;
  readonly #sums: BlockSums;

  constructor(host: PutHost, item: ArchiveItem, path: string, sums: BlockSums) {
    this.#host = host;
    this.#item = item;
    this.#path = path;
    this.#sums = sums;
  }

  /** Parts that the store has already are not sent again. */
  async run(): Promise<void> {
    const { bucket } = this.#host;
    const { key, size } = this.#item;
    const { uploadId, stored } = await this.#begin();
    const partBytes = partBytesOf(size);
    const parts: StoredPart[] = [];
    for (let number = 1, from = 0; from < size; number += 1, from += partBytes) {
      const to = Math.min(size, from + partBytes);
      const known = stored.find((part) => part.number === number);
      if (known?.size === to - from && known.crc32 !== "") parts.push(known);
      else parts.push(await this.#putPart(uploadId, number, from, to));
      failpoint("archive.part");
    }
    await bucket.completeParts(key, uploadId, parts);
  }

  async #begin(): Promise<{ uploadId: string; stored: StoredPart[] }> {
    const { bucket, begun } = this.#host;
    const { key, uploadId: before } = this.#item;
    const stored = before === null ? undefined : await bucket.listParts(key, before);
    if (before !== null && stored !== undefined) return { uploadId: before, stored };
    const uploadId = await bucket.beginParts(key);
    begun(this.#item, uploadId);
    return { uploadId, stored: [] };
  }

  async #putPart(uploadId: string, number: number, from: number, to: number): Promise<StoredPart> {
    const { bucket } = this.#host;
    const checksum = await this.#checksumOf(from, to);
    const body = Bun.file(this.#path).slice(from, to);
    try {
      return await bucket.putPart(this.#item.key, uploadId, number, body, checksum);
    } catch (error) {
      // The store has forgotten the upload between two parts.
      if (error instanceof ArchiveFailure && error.code === "OBJECT_MISSING") {
        this.#host.begun(this.#item, null);
        throw new ArchiveFailure("ARCHIVE_UNAVAILABLE", error.detail ?? "", error.status);
      }
      throw error;
    }
  }

  /** CRC-32 in base64. Reading on, it compares the block checksums: a damaged object must not be archived. */
  async #checksumOf(from: number, to: number): Promise<string> {
    const file = await openObject(this.#path);
    try {
      const piece = new Uint8Array(archiveReadBytes);
      let value = 0;
      for (let at = from; at < to; at += piece.length) {
        const { bytesRead } = await file.read(piece, 0, Math.min(piece.length, to - at), at);
        const bytes = piece.subarray(0, bytesRead);
        if (bytesRead === 0 || this.#sums.firstDamaged(at / blockBytes, bytes) !== undefined)
          throw new WavecacheError(
            "OBJECT_DAMAGED",
            `${this.#path}: damaged at ${at} before it was archived`,
          );
        value = crc32(bytes, value);
      }
      const digest = Buffer.alloc(4);
      digest.writeUInt32BE(value);
      return digest.toString("base64");
    } finally {
      await file.close();
    }
  }
}

async function openObject(path: string): Promise<fs.FileHandle> {
  try {
    return await fs.open(path, "r");
  } catch (error) {
    if (isMissing(error)) throw new WavecacheError("OBJECT_MISSING", path);
    throw error;
  }
}
