/** Reads the audio that a recording wrote before its live audio begins. */
import * as fs from "node:fs";
import { wavHeaderBytes } from "../../../src/codec/wav/wav.ts";
import { isMissing } from "../../../src/store/layout.ts";
import type { LiveTask } from "../../../src/store/sounds/encoder-calls.ts";

/** The last samples of the files, at most so many per channel, oldest first. Throws the system's error. */
export function readPast({ past, channels }: LiveTask, maxSamples: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let wanted = maxSamples;
  for (const { path, samples } of past.toReversed()) {
    const count = Math.min(wanted, samples);
    const piece = readSamples(path, 2 * channels * (samples - count), 2 * channels * count);
    // Somebody has removed the file: what lies before it does not belong to what follows.
    if (piece === undefined) break;
    pieces.unshift(piece);
    wanted -= count;
  }
  return pieces;
}

function readSamples(path: string, from: number, length: number): Uint8Array | undefined {
  let file: number;
  try {
    file = fs.openSync(path, "r");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  try {
    const bytes = new Uint8Array(length);
    const got = fs.readSync(file, bytes, 0, length, wavHeaderBytes + from);
    return got === length ? bytes : undefined;
  } finally {
    fs.closeSync(file);
  }
}
