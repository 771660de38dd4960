/**
 * A file beside the others of a recording whose samples are in the archive alone: `NAME.archived` has what the catalog knows
 * of it, so that a catalog that is built anew from the files finds it. One line of JSON, then one with its xxHash3.
 */
import * as fs from "node:fs";
import { open } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { RecordingEntry } from "../../../base/recording-entry.ts";
import { isMissing, syncFolder } from "../../layout.ts";
import type { RecordingRow } from "../catalog.ts";

export interface EvictedRecording {
  entry: RecordingEntry;
  /** In the bucket, below the prefix. */
  key: string;
}

/** `path` is that of the recording, without extension. */
export function evictedPath(path: string): string {
  return `${path}.archived`;
}

/** Durable once it resolves. Rows that the archive does not have are left out. */
export async function noteEvicted(folder: string, rows: readonly RecordingRow[]): Promise<void> {
  await Promise.all(rows.map((row) => write(evictedPath(join(folder, row.name)), textOf(row))));
  for (const each of new Set(rows.map(({ name }) => dirname(join(folder, name))))) syncFolder(each);
}

/** Undefined if there is no such file, or it is broken, as a crash leaves it before the samples go. */
export function readEvicted(folder: string, name: string): EvictedRecording | undefined {
  const text = read(evictedPath(join(folder, name)));
  const [line = "", checksum] = text?.split("\n") ?? [];
  return checksum === checksumOf(line) ? (JSON.parse(line) as EvictedRecording) : undefined;
}

function textOf(entry: RecordingRow): string {
  const line = JSON.stringify({ entry, key: entry.archive?.key ?? "" } satisfies EvictedRecording);
  return `${line}\n${checksumOf(line)}`;
}

function checksumOf(line: string): string {
  return Bun.hash.xxHash3(line).toString(16);
}

async function write(path: string, text: string): Promise<void> {
  await using file = await open(path, "w");
  await file.writeFile(text);
  await file.datasync();
}

function read(path: string): string | undefined {
  try {
    return fs.readFileSync(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
