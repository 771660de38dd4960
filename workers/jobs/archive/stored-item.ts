/**
 * Stores one object, or the `.wav` of a recording: by one request if it is short, else in parts. The object store compares each body with its
 * checksum, so that damage of the local file or on the way is found before anybody relies on the archive. Storing an
 * object again is harmless: its key stands for its content.
 */
import * as fs from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { failpoint } from "../../../src/base/failpoint.ts";
import {
  archivePartBytes,
  archiveReadBytes,
  minArchivePartBytes,
  minSumsObjectBytes,
} from "../../../src/base/limits/archive.ts";
import { WavecacheError } from "../../../src/base/errors.ts";
import { ArchiveFailure, type Bucket, type StoredPart } from "../../../src/store/archive/bucket.ts";
import type { QueuedItem } from "../../../src/store/archive/calls.ts";
import {
  crc32ToBase64,
  hexToBase64,
  partBytesOf,
  sidecarKeyOf,
  sumsKeyOf,
} from "../../../src/store/archive/keys.ts";
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
  begun(item: QueuedItem, uploadId: string | null): void;
}

export async function storeItem(host: PutHost, item: QueuedItem): Promise<void> {
  const { bucket, layout, recordingsDir } = host;
  const { sha256, size, key, failures, recording } = item;
  const path = recording === null ? layout.objectPath(sha256) : join(recordingsDir, `${recording}.wav`);
  if (sizeOfFile(path) !== size) throw new WavecacheError("OBJECT_MISSING", path);
  failpoint("archive.put");
  // An answer may have been lost after the store had everything.
  const isThere = failures > 0 && (await bucket.sizeOf(key)) === size;
  const sums = await sumsOf(layout, item, path);
  if (!isThere && size <= archivePartBytes && item.uploadId === null)
    await bucket.put(key, Bun.file(path), { "x-amz-checksum-sha256": hexToBase64(sha256) });
  else if (!isThere) {
    // A short upload has parts if another node had it: they are compared with what it has become.
    const expected = sums ?? (await verifiedSums(path, sha256, size));
    await new PartsUpload(host, item, path, expected).run();
  }
  failpoint("archive.stored");
  if (sums === undefined) return;
  if (recording === null) await storeFile(bucket, sumsKeyOf(key), sums.encode());
  else
    await storeFile(bucket, sidecarKeyOf(key), encodeSidecar(sums, await measuredFiles(path.slice(0, -4))));
}

/** Undefined for an object that is one piece: the store compares its SHA-256, and so does who reads it back. */
async function sumsOf(
  layout: CacheLayout,
  { sha256, size, recording }: QueuedItem,
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

interface PlannedPart {
  number: number;
  from: number;
  to: number;
  /** The store has it. */
  known: StoredPart | undefined;
}

class PartsUpload {
  readonly #host: PutHost;
  readonly #item: QueuedItem;
  readonly #path: string;
  readonly #sums: BlockSums;

  constructor(host: PutHost, item: QueuedItem, path: string, sums: BlockSums) {
    this.#host = host;
    this.#item = item;
    this.#path = path;
    this.#sums = sums;
  }

  /** Parts that the store has already are not sent again. */
  async run(): Promise<void> {
    const { uploadId, stored } = await this.#begin();
    const parts: StoredPart[] = [];
    for (const { number, from, to, known } of this.#plan(stored)) {
      if (known !== undefined) parts.push(known);
      else parts.push(await this.#putPart(uploadId, number, from, to));
      failpoint("archive.part");
    }
    await this.#complete(uploadId, parts);
  }

  /** The stored parts, as long as they fit the object, and the ones that are missing behind them. */
  #plan(stored: readonly StoredPart[]): PlannedPart[] {
    const { size } = this.#item;
    const partBytes = partBytesOf(size);
    const plan: PlannedPart[] = [];
    for (let number = 1, from = 0; from < size; number += 1) {
      const found = stored.find((part) => part.number === number && mayStand(part, size - from));
      const to = Math.min(size, from + (found?.size ?? partBytes));
      plan.push({ number, from, to, known: found && this.#isOf(found, from, to) ? found : undefined });
      from = to;
    }
    return plan;
  }

  /** What was stored while the upload came is compared with what the upload has turned out to be. */
  #isOf(part: StoredPart, from: number, to: number): boolean {
    const known = this.#item.parts.find(({ number }) => number === part.number);
    const isSame = known === undefined || known.sums === this.#sums.digestOf(from, to);
    return part.size === to - from && part.crc32 !== "" && isSame;
  }

  async #begin(): Promise<{ uploadId: string; stored: StoredPart[] }> {
    const { bucket, begun } = this.#host;
    const { key, uploadId: before, parts } = this.#item;
    if (before !== null && parts.length > 0) return { uploadId: before, stored: parts };
    const stored = before === null ? undefined : await bucket.listParts(key, before);
    if (before !== null && stored !== undefined) return { uploadId: before, stored };
    const uploadId = await bucket.beginParts(key);
    begun(this.#item, uploadId);
    return { uploadId, stored: [] };
  }

  async #putPart(uploadId: string, number: number, from: number, to: number): Promise<StoredPart> {
    const checksum = await this.#checksumOf(from, to);
    const body = Bun.file(this.#path).slice(from, to);
    return await this.#orForget(this.#host.bucket.putPart(this.#item.key, uploadId, number, body, checksum));
  }

  /** The store may have completed it already without an answer, or have other parts than the catalog knows. */
  async #complete(uploadId: string, parts: readonly StoredPart[]): Promise<void> {
    await this.#orForget(this.#host.bucket.completeParts(this.#item.key, uploadId, parts), isGoneOrOther);
  }

  async #orForget<T>(
    request: Promise<T>,
    isGone: (failure: ArchiveFailure) => boolean = isGoneUpload,
  ): Promise<T> {
    try {
      return await request;
    } catch (error) {
      if (error instanceof ArchiveFailure && isGone(error)) {
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
      return crc32ToBase64(value);
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

/** What an upload had when another node asked for it may be too short for a part in the middle. */
function mayStand(part: StoredPart, bytesLeft: number): boolean {
  return part.size >= minArchivePartBytes || part.size === bytesLeft;
}

function isGoneUpload({ code }: ArchiveFailure): boolean {
  return code === "OBJECT_MISSING";
}

function isGoneOrOther(failure: ArchiveFailure): boolean {
  return isGoneUpload(failure) || failure.status === 400;
}
