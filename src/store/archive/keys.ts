/** The names of objects in the bucket, below the prefix, and the parts in which long ones are stored. */
import { randomBytes } from "node:crypto";
import { archivePartBytes, maxArchiveParts } from "../../base/limits/archive.ts";

const parted = "uploads/";

/**
 * For an upload in parts that are stored while the upload comes; `fileKey` is that of its file. None is used twice: the late
 * removal of an earlier one cannot touch it.
 */
export function newPartedKey(fileKey: string): string {
  return `${parted}${fileKey}.${randomBytes(4).toString("hex")}`;
}

/** The parts of the object with this key were stored while its upload came. */
export function isPartedKey(objectKey: string): boolean {
  return objectKey.startsWith(parted);
}

/** The block checksums of the object with this key. */
export function sumsKeyOf(objectKey: string): string {
  return isPartedKey(objectKey) ? `sums/${objectKey}` : objectKey.replace(/^objects\//, "sums/");
}

/** Whether a key is that of the `.wav` of a recording. */
export function isRecordingKey(key: string): boolean {
  return key.startsWith("recordings/");
}

/** What was measured of the recording with this key; see sidecar.ts. */
export function sidecarKeyOf(recordingKey: string): string {
  return recordingKey.replace(/\.wav$/, ".side");
}

/** Bytes of each part but the last one: whole MiB, so that a file is read in whole pieces. */
export function partBytesOf(size: number): number {
  const needed = Math.ceil(size / maxArchiveParts / archivePartBytes) * archivePartBytes;
  return Math.max(archivePartBytes, needed);
}

export function hexToBase64(hex: string): string {
  return Buffer.from(hex, "hex").toString("base64");
}

/** As headers of S3 have it. */
export function crc32ToBase64(value: number): string {
  const digest = Buffer.alloc(4);
  digest.writeUInt32BE(value);
  return digest.toString("base64");
}
