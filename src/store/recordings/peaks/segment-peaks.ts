/**
 * The peaks of a segment, measured while its samples arrive: `NAME.dat` beside the `.wav`, and an overview for the catalog.
 *
 * The file is written in one piece when the segment ends, and a long segment's in several, between which it is closed.
 * Its header states no pixels until the end, so a file of a crash counts as damaged. Nobody syncs it: peaks that are lost
 * are made again from the samples (measure.ts). For the same reason no failure here ends a recording.
 */
import * as fs from "node:fs";
import { toWavecacheError } from "../../../base/errors.ts";
import { failpoint } from "../../../base/failpoint.ts";
import {
  basePixelSamples,
  bufferedPixels,
  maxOverviewPixels,
  overviewFactor,
} from "../../../base/limits/peaks.ts";
import type { RecordedPeaks } from "../../../base/recording-entry.ts";
import { datHeaderBytes, encodeDatHeader } from "../../../codec/peaks/dat.ts";
import type { Level } from "../../../codec/peaks/level.ts";
import { Overview } from "../../../codec/peaks/overview.ts";
import { PeakMeter, type PeakSink } from "../../../codec/peaks/peak-meter.ts";
import { removeFile } from "../../layout.ts";

/** The path of the peaks of a segment; `path` is that of its files, without extension. */
export function peaksPath(path: string): string {
  return `${path}.dat`;
}

interface WavFormat {
  sampleRate: number;
  channels: number;
}

/** The level is valid until this returns. */
type OnBlock = (level: Level, from: number, frames: number) => void;

export class SegmentPeaks implements PeakSink {
  readonly #format: WavFormat;
  readonly #onBlock: OnBlock;
  readonly #meter: PeakMeter;
  readonly #overview: Overview;
  /** Room for the header, then pixels that are not in the file. Two views of the same memory. */
  readonly #bytes: Uint8Array;
  readonly #pixels: Int16Array;
  /** Values in `#pixels`. */
  #fill = 0;
  #fileBytes = 0;
  #path = "";
  #blockFrom = 0;
  #problem: string | undefined;

  /** `onBlock` gets the level of each 100 ms; `from` is the first of its samples in the segment, per channel. */
  constructor({ sampleRate, channels }: WavFormat, onBlock: OnBlock = () => {}) {
    this.#format = { sampleRate, channels };
    this.#onBlock = onBlock;
    this.#meter = new PeakMeter(channels, sampleRate, this);
    this.#overview = new Overview(channels, maxOverviewPixels, overviewFactor);
    const values = bufferedPixels * 2 * channels;
    this.#bytes = new Uint8Array(datHeaderBytes + 2 * values);
    this.#pixels = new Int16Array(this.#bytes.buffer, datHeaderBytes, values);
  }

  /** Starts a segment whose files have this path, without extension. */
  start(path: string): void {
    this.#path = peaksPath(path);
    this.#problem = undefined;
    this.#fileBytes = 0;
    this.#fill = 0;
    this.#overview.clear();
    this.#blockFrom = 0;
  }

  /** Measures `frames` sample frames, interleaved, from `samples[at]` on. */
  push(samples: Int16Array, at: number, frames: number): void {
    this.#meter.push(samples, at, frames);
  }

  /** Completes the file. Returns what the catalog keeps. */
  finish(): RecordedPeaks {
    const level = this.#meter.endPart();
    this.#flush(true);
    const { samplesPerPixel } = this.#overview;
    const values = this.#overview.values();
    const overview = Buffer.from(values.buffer).toString("base64");
    const problem = this.#problem === undefined ? {} : { problem: this.#problem };
    return { samplesPerPixel, overview, ...level, ...problem };
  }

  /** Removes the file of a segment that failed. */
  discard(): void {
    this.#meter.endPart();
    this.#try(() => removeFile(this.#path));
  }

  pixel(values: Int16Array): void {
    for (let at = 0; at < values.length; at++) this.#pixels[this.#fill + at] = values[at]!;
    this.#overview.add(values, 0);
    this.#fill += values.length;
    if (this.#fill === this.#pixels.length) this.#flush(false);
  }

  block(level: Level, frames: number): void {
    this.#onBlock(level, this.#blockFrom, frames);
    this.#blockFrom += frames;
  }

  /** Appends the pixels in memory to the file. The last call writes the length into the header. */
  #flush(isLast: boolean): void {
    const values = this.#fill;
    this.#fill = 0;
    if (this.#problem !== undefined) return;
    this.#try(() => this.#append(2 * values, isLast));
  }

  #append(bytes: number, isLast: boolean): void {
    failpoint("record.peaks");
    const isFirst = this.#fileBytes === 0;
    const pixelBytes = Math.max(0, this.#fileBytes - datHeaderBytes) + bytes;
    const { channels } = this.#format;
    const header = encodeDatHeader(
      { ...this.#format, samplesPerPixel: basePixelSamples },
      isLast ? pixelBytes / (4 * channels) : 0,
    );
    this.#bytes.set(header);
    const descriptor = fs.openSync(this.#path, isFirst ? "w" : "r+");
    try {
      const from = isFirst ? 0 : datHeaderBytes;
      writeAll(descriptor, this.#bytes.subarray(from, datHeaderBytes + bytes), this.#fileBytes);
      if (isLast && !isFirst) writeAll(descriptor, header, 0);
    } finally {
      fs.closeSync(descriptor);
    }
    this.#fileBytes = datHeaderBytes + pixelBytes;
  }

  #try(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#problem = toWavecacheError(error).message;
    }
  }
}

function writeAll(descriptor: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length;) {
    done += fs.writeSync(descriptor, bytes, done, bytes.length - done, at + done);
  }
}
