/**
 * Stores a part of an upload while it comes. The part is read from the upload's file, whose bytes are final: the checksum
 * that the object store compares, and the one that the commit compares later, come from the same pass over it.
 */
import * as fs from "node:fs/promises";
import { crc32 } from "node:zlib";
import { WavecacheError } from "../../../src/base/errors.ts";
import { failpoint } from "../../../src/base/failpoint.ts";
import { archiveReadBytes } from "../../../src/base/limits/archive.ts";
import type { PartTask } from "../../../src/store/archive/archiver-calls.ts";
import { ArchiveFailure, type Bucket } from "../../../src/store/archive/bucket.ts";
import { crc32ToBase64 } from "../../../src/store/archive/keys.ts";
import type { UploadPart } from "../../../src/store/archive/parts/catalog.ts";
import type { CacheLayout } from "../../../src/store/layout.ts";
import { SumsBuilder } from "../../../src/store/streams/sums/sums.ts";

/** Results in null if the object store has forgotten the upload in parts. */
export async function storePart(
  { bucket, layout }: { bucket: Bucket; layout: CacheLayout },
  { fileKey, ref, number, offset, size }: PartTask,
): Promise<UploadPart | null> {
  // A commit may rename the file meanwhile.
  const file = await fs.open(layout.incomingPath(fileKey), "r");
  try {
    const checksums = await checksumsOf(file, offset, size);
    const body = Bun.file(file.fd).slice(offset, offset + size);
    failpoint("parts.put");
    const { etag } = await bucket.putPart(ref.key, ref.uploadId, number, body, checksums.crc32);
    failpoint("parts.stored");
    return { number, size, etag, ...checksums };
  } catch (error) {
    if (error instanceof ArchiveFailure && error.code === "OBJECT_MISSING") return null;
    throw error;
  } finally {
    await file.close();
  }
}

async function checksumsOf(
  file: fs.FileHandle,
  offset: number,
  size: number,
): Promise<Pick<UploadPart, "crc32" | "sums">> {
  const piece = new Uint8Array(archiveReadBytes);
  const builder = new SumsBuilder();
  let value = 0;
  for (let done = 0; done < size;) {
    const wanted = Math.min(piece.length, size - done);
    const { bytesRead } = await file.read(piece, 0, wanted, offset + done);
    if (bytesRead === 0) throw new WavecacheError("OBJECT_DAMAGED", `an upload ends before ${offset + size}`);
    value = crc32(piece.subarray(0, bytesRead), value);
    builder.add(piece.subarray(0, bytesRead));
    done += bytesRead;
  }
  return { crc32: crc32ToBase64(value), sums: builder.finish().digestOf(0, size) };
}
