/** The files of levels and peaks beside a recording. Those that are not there, or are broken, are made first. */
import { readFile } from "node:fs/promises";
import { maxPeaksFileBytes } from "../../../src/base/limits/peaks.ts";
import { decodeDat } from "../../../src/codec/peaks/dat.ts";
import { decodeLevels } from "../../../src/codec/peaks/levels.ts";
import type { MeasuredFiles } from "../../../src/store/archive/sidecar.ts";
import { isMissing, sizeOfFile } from "../../../src/store/layout.ts";
import { levelsPath, peaksPath } from "../../../src/store/recordings/peaks/files.ts";
import { measureInPieces } from "../../../src/store/recordings/peaks/measure.ts";

const none: Uint8Array<ArrayBuffer> = new Uint8Array(0);

/** `path` is that of the recording, without extension. What cannot be made is empty: coarser values replace it. */
export async function measuredFiles(path: string): Promise<MeasuredFiles> {
  const found = await read(path);
  if (found !== undefined) return found;
  await measureInPieces(path);
  return (await read(path)) ?? { levels: none, peaks: none };
}

async function read(path: string): Promise<MeasuredFiles | undefined> {
  const levels = await readWhole(levelsPath(path));
  const peaks = await readWhole(peaksPath(path));
  if (levels === undefined || peaks === undefined) return undefined;
  const areRight = decodeLevels(levels) !== undefined && decodeDat(peaks) !== undefined;
  return areRight ? { levels, peaks } : undefined;
}

async function readWhole(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    if ((sizeOfFile(path) ?? Infinity) > maxPeaksFileBytes) return undefined;
    return new Uint8Array(await readFile(path));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
