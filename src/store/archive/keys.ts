/** The names of objects in the bucket, below the prefix, and the parts in which long ones are stored. */
import { archivePartBytes, maxArchiveParts } from "../../base/limits/archive.ts";

/** The block checksums of the object with this key. */
export function sumsKeyOf(objectKey: string): string {
  return objectKey.replace(/^objects\//, "sums/");
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
