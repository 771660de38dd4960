/**
 * Segments that a sync has failed for. Linux may have dropped pages that it could not write, and later syncs succeed
 * without them. While the pages are still in memory everything reads right, so each file is written anew:
 *
 *     1  it is copied beside itself and hashed; the digest was taken from what was recorded, not from the file
 *     2  if the digest is right, the copy is synced and replaces the file: nothing is lost
 *     3  otherwise bytes are lost. The segment is repaired like that of a crash, and enters the catalog as it is now
 */
import * as fs from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { MiB } from "../../base/limits/units.ts";
import type { RecordedFile, RecordingEntry } from "../../base/recording-entry.ts";
import { syncFolder } from "../layout.ts";
import { repairSegment } from "./repair.ts";

/** A recording that is no longer what was recorded. */
export interface RecordingLoss {
  name: string;
  /** Bytes of whole frames that are missing at the end. 0 if samples have changed, in either file, and no frame is. */
  lostBytes: number;
}

const blockBytes = 1 * MiB;

/** Writes the suspects of these recordings anew. The entries are those to insert into the catalog. */
export async function rewriteSuspects(
  folder: string,
  closed: RecordingEntry[],
  suspect: ReadonlySet<string>,
): Promise<{ entries: RecordingEntry[]; losses: RecordingLoss[] }> {
  const entries: RecordingEntry[] = [];
  const losses: RecordingLoss[] = [];
  for (const entry of closed) {
    if (!suspect.has(entry.name) || (await rewriteSegment(folder, entry))) {
      entries.push(entry);
      continue;
    }
    const repaired = repairSegment(folder, entry.name, undefined);
    const { placement } = entry;
    if (typeof repaired !== "string") entries.push({ ...entry, ...repaired, placement });
    const keptBytes = typeof repaired === "string" ? 0 : repaired.bin.bytes;
    losses.push({ name: entry.name, lostBytes: entry.bin.bytes - keptBytes });
  }
  return { entries, losses };
}

/** Returns false if a file is not what was recorded. */
async function rewriteSegment(folder: string, { name, bin, wav }: RecordingEntry): Promise<boolean> {
  const path = join(folder, name);
  const areRight = [await rewriteFile(`${path}.bin`, bin), await rewriteFile(`${path}.wav`, wav)];
  syncFolder(dirname(path));
  return areRight.every(Boolean);
}

async function rewriteFile(path: string, recorded: RecordedFile): Promise<boolean> {
  if (!fs.existsSync(path)) return false;
  const copy = `${path}.rewritten`;
  const { sha256 } = await copySynced(path, copy);
  if (sha256 === recorded.sha256) await rename(copy, path);
  else await rm(copy);
  return sha256 === recorded.sha256;
}

async function copySynced(from: string, to: string): Promise<{ sha256: string }> {
  const hasher = new Bun.CryptoHasher("sha256");
  const block = new Uint8Array(blockBytes);
  await using source = await open(from, "r");
  await using target = await open(to, "w");
  for (;;) {
    const { bytesRead } = await source.read(block, 0, block.length);
    if (bytesRead === 0) break;
    hasher.update(block.subarray(0, bytesRead));
    await target.writeFile(block.subarray(0, bytesRead));
  }
  await target.datasync();
  return { sha256: hasher.digest("hex") };
}
