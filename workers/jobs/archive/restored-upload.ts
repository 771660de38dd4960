/**
 * Brings what the archive has of an unfinished upload here, so that this node continues it. A crash after a step leaves:
 *
 *     1  the upload in parts is completed    an object of the parts so far, which the next attempt finds. What the former
 *                                            owner still sends goes nowhere
 *     2  its bytes are here, verified        a file in fetched/, which a start removes
 *     3  the file is durable in incoming/    the file, of which the catalog does not know how much is durable
 *
 * The caller then enters in the catalog what is here. A part that is damaged ends what can be continued from.
 */
import * as fs from "node:fs";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import { failpoint } from "../../../src/base/failpoint.ts";
import { archivePartBytes } from "../../../src/base/limits/archive.ts";
import type { ArchiverCalls, RestoredUpload } from "../../../src/store/archive/archiver-calls.ts";
import { ArchiveFailure, type Bucket } from "../../../src/store/archive/bucket.ts";
import { crc32ToBase64 } from "../../../src/store/archive/keys.ts";
import {
  bytesOf,
  type StoredUpload,
  type UploadBase,
  type UploadPart,
} from "../../../src/store/archive/parts/catalog.ts";
import {
  type CacheLayout,
  createFolder,
  removeFile,
  syncFile,
  syncFolder,
} from "../../../src/store/layout.ts";

interface RestoreHost {
  bucket: Bucket;
  layout: CacheLayout;
}

export async function restoreUpload(
  { bucket, layout }: RestoreHost,
  { fileKey, stored }: ArchiverCalls["restore"][0],
): Promise<RestoredUpload> {
  const base = await completed(bucket, stored);
  if (base === undefined) return { baseKey: stored.key, count: 0, bytes: 0 };
  failpoint("restore.1");
  const draft = layout.fetchedPath(fileKey);
  const count = await fetchParts(bucket, base, draft);
  failpoint("restore.2");
  if (count === 0) {
    removeFile(draft);
    return { baseKey: base.key, count, bytes: 0 };
  }
  await syncFile(draft);
  fs.renameSync(draft, layout.incomingPath(fileKey));
  syncFolder(layout.incoming);
  failpoint("restore.3");
  return { baseKey: base.key, count, bytes: bytesOf(base.parts.slice(0, count)) };
}

/** Undefined if the object store has nothing of it any more. */
async function completed(bucket: Bucket, stored: StoredUpload): Promise<UploadBase | undefined> {
  const { key, uploadId, parts, base } = stored;
  if (uploadId === null || bytesOf(parts) < bytesOf(base?.parts ?? [])) return base;
  try {
    await bucket.completeParts(key, uploadId, parts);
    return { key, parts };
  } catch (error) {
    if (!isRefused(error)) throw error;
  }
  // An earlier attempt may have completed it; a part that was stored after that is not in it.
  const size = (await bucket.sizeOf(key)) ?? 0;
  let end = 0;
  const within = parts.filter((part) => (end += part.size) <= size);
  return within.length > 0 && bytesOf(within) === size ? { key, parts: within } : base;
}

/** The upload in parts is gone, or its parts are not those of the catalog: no further attempt would change that. */
function isRefused(error: unknown): boolean {
  return error instanceof ArchiveFailure && (error.code === "OBJECT_MISSING" || error.status === 400);
}

/** Returns how many parts are here and right. */
async function fetchParts(bucket: Bucket, { key, parts }: UploadBase, path: string): Promise<number> {
  createFolder(dirname(path));
  const descriptor = fs.openSync(path, "w", 0o600);
  try {
    let offset = 0;
    for (const [index, part] of parts.entries()) {
      if (!(await fetchPart(bucket, key, part, offset, descriptor))) {
        fs.ftruncateSync(descriptor, offset);
        return index;
      }
      offset += part.size;
    }
    return parts.length;
  } finally {
    fs.closeSync(descriptor);
  }
}

/** False if it is not what was stored. */
async function fetchPart(
  bucket: Bucket,
  key: string,
  part: UploadPart,
  offset: number,
  descriptor: number,
): Promise<boolean> {
  let value = 0;
  for (let done = 0; done < part.size;) {
    const bytes = await bucket.get(key, offset + done, Math.min(archivePartBytes, part.size - done));
    for (let at = 0; at < bytes.length;)
      at += fs.writeSync(descriptor, bytes, at, bytes.length - at, offset + done + at);
    value = crc32(bytes, value);
    done += bytes.length;
  }
  return crc32ToBase64(value) === part.crc32;
}
