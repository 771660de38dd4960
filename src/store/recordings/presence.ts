/** Which files of recordings are there. People make room by removing files by hand, and the catalog has to notice. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "../../base/errors.ts";
import type { RecordingRow } from "./catalog.ts";

export interface LookedAt {
  /** With what is missing of each. */
  present: RecordingRow[];
  /** Both files are missing, and the archive has nothing. */
  gone: RecordingRow[];
  /** Of the present: the archive has the samples, and the catalog is wrong about whether they are here, too. */
  moved: RecordingRow[];
}

/** Looks for the files of recordings. Runs on the runtime's I/O threads: a disk may take long to look up names. */
export async function lookForFiles(folder: string, rows: RecordingRow[]): Promise<LookedAt> {
  const looked = await Promise.all(rows.map((row) => withMissing(folder, row)));
  return {
    present: looked.filter((row) => !isGone(row)),
    gone: looked.filter(isGone),
    moved: looked.filter(({ archive }, index) => archive?.isLocal !== rows[index]!.archive?.isLocal),
  };
}

/** Whether the samples of each are there. */
export async function haveSamples(folder: string, names: readonly string[]): Promise<boolean[]> {
  return await Promise.all(names.map((name) => exists(join(folder, `${name}.wav`))));
}

const fileKinds = ["bin", "wav"] as const;

function isGone({ missing }: RecordingRow): boolean {
  return missing?.length === fileKinds.length;
}

/** Files on the disk of another node are its own concern. */
async function withMissing(folder: string, row: RecordingRow): Promise<RecordingRow> {
  if (row.otherNode !== undefined) return row;
  const isThere = await Promise.all(fileKinds.map((kind) => exists(join(folder, `${row.name}.${kind}`))));
  const { archive } = row;
  const missing = fileKinds.filter(
    (kind, index) => !isThere[index] && (kind === "bin" || archive === undefined),
  );
  const looked = missing.length === 0 ? row : { ...row, missing };
  return archive === undefined ? looked : { ...looked, archive: { ...archive, isLocal: isThere[1]! } };
}

/** A file that cannot be looked up for another reason may be there. */
async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    return !["ENOENT", "ENOTDIR"].includes(systemCode(error) ?? "");
  }
}
