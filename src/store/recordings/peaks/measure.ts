/**
 * Makes the peaks and levels of a finished segment from its samples: after a crash, for recordings of older servers, and for those
 * whose `.dat` or `.lvl` is gone.
 */
import * as fs from "node:fs";
import { KiB } from "../../../base/limits/units.ts";
import type { RecordedPeaks } from "../../../base/recording-entry.ts";
import { parseWavHead, wavHeaderBytes } from "../../../codec/wav/wav.ts";
import { SegmentPeaks } from "./segment-peaks.ts";

/** Measured at once; the keeper does other work between two of these. */
const blockBytes = 256 * KiB;

/** Measures the samples of `PATH.wav` at once. Undefined for a file of another program. Throws the system's error. */
export function measureSegment(path: string): RecordedPeaks | undefined {
  const measuring = measure(path);
  for (;;) {
    const step = measuring.next();
    if (step.done === true) return step.value;
  }
}

/** The same, a piece at a time. */
export async function measureInPieces(path: string): Promise<RecordedPeaks | undefined> {
  const measuring = measure(path);
  for (;;) {
    const step = measuring.next();
    if (step.done === true) return step.value;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

function* measure(path: string): Generator<void, RecordedPeaks | undefined, void> {
  const descriptor = fs.openSync(`${path}.wav`, "r");
  try {
    const format = formatOf(descriptor);
    if (format === undefined) return undefined;
    const peaks = new SegmentPeaks(format);
    peaks.start(path);
    const frameBytes = 2 * format.channels;
    const samples = new Int16Array((blockBytes - (blockBytes % frameBytes)) / 2);
    for (let at = wavHeaderBytes; ;) {
      const bytes = fs.readSync(descriptor, samples, 0, samples.byteLength, at);
      const frames = Math.floor(bytes / frameBytes);
      if (frames === 0) return peaks.finish();
      peaks.push(samples, 0, frames);
      at += frames * frameBytes;
      yield;
    }
  } finally {
    fs.closeSync(descriptor);
  }
}

/** Of a file that this server wrote; undefined for any other. */
function formatOf(descriptor: number): { sampleRate: number; channels: number } | undefined {
  const head = new Uint8Array(wavHeaderBytes);
  fs.readSync(descriptor, head, 0, head.length, 0);
  const parsed = parseWavHead(head, fs.fstatSync(descriptor).size);
  if (parsed.kind !== "format" || parsed.format.dataAt !== wavHeaderBytes) return undefined;
  return parsed.format.encoding === "s16" ? parsed.format : undefined;
}
