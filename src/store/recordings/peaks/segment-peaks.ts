/**
 * What is measured of a segment while its samples arrive: `NAME.dat` with its peaks and `NAME.lvl` with its levels, beside the
 * `.wav`, and an overview for the catalog.
 */
import {
  basePixelSamples,
  bufferedLevels,
  bufferedPixels,
  maxOverviewPixels,
  overviewFactor,
} from "../../../base/limits/peaks.ts";
import type { RecordedPeaks } from "../../../base/recording-entry.ts";
import { datHeaderBytes, encodeDatHeader } from "../../../codec/peaks/dat.ts";
import type { Level } from "../../../codec/peaks/level.ts";
import {
  encodeLevel,
  encodeLevelsHeader,
  levelBytes,
  levelsHeaderBytes,
} from "../../../codec/peaks/levels.ts";
import { Overview } from "../../../codec/peaks/overview.ts";
import { PeakMeter, type PeakSink } from "../../../codec/peaks/peak-meter.ts";
import { levelsPath, peaksPath } from "./files.ts";
import { MeasureFile } from "./measure-file.ts";

interface WavFormat {
  sampleRate: number;
  channels: number;
}

/** The level is valid until this returns. */
type OnBlock = (level: Level, from: number, frames: number) => void;

export class SegmentPeaks implements PeakSink {
  readonly #onBlock: OnBlock;
  readonly #meter: PeakMeter;
  readonly #overview: Overview;
  readonly #peaks: MeasureFile;
  /** The records of `#peaks`. */
  readonly #pixels: Int16Array;
  readonly #levels: MeasureFile;
  #blockFrom = 0;

  /** `onBlock` gets the level of each 100 ms; `from` is the first of its samples in the segment, per channel. */
  constructor(format: WavFormat, onBlock: OnBlock = () => {}) {
    const { sampleRate, channels } = format;
    this.#onBlock = onBlock;
    this.#meter = new PeakMeter(channels, sampleRate, this);
    this.#overview = new Overview(channels, maxOverviewPixels, overviewFactor);
    this.#peaks = peaksFile(format);
    const { buffer, byteOffset } = this.#peaks.records;
    this.#pixels = new Int16Array(buffer, byteOffset);
    this.#levels = levelsFile(sampleRate);
  }

  /** Starts a segment whose files have this path, without extension. */
  start(path: string): void {
    this.#peaks.start(peaksPath(path));
    this.#levels.start(levelsPath(path));
    this.#overview.clear();
    this.#blockFrom = 0;
  }

  /** Measures `frames` sample frames, interleaved, from `samples[at]` on. */
  push(samples: Int16Array, at: number, frames: number): void {
    this.#meter.push(samples, at, frames);
  }

  /** Completes the files. Returns what the catalog keeps. */
  finish(): RecordedPeaks {
    const level = this.#meter.endPart();
    this.#peaks.finish();
    this.#levels.finish();
    const { samplesPerPixel } = this.#overview;
    const values = this.#overview.values();
    const overview = Buffer.from(values.buffer).toString("base64");
    const problem = this.#peaks.problem ?? this.#levels.problem;
    return { samplesPerPixel, overview, ...level, ...(problem === undefined ? {} : { problem }) };
  }

  /** Removes the files of a segment that failed. */
  discard(): void {
    this.#meter.endPart();
    this.#peaks.discard();
    this.#levels.discard();
  }

  pixel(values: Int16Array): void {
    const to = this.#peaks.fill / 2;
    for (let at = 0; at < values.length; at++) this.#pixels[to + at] = values[at]!;
    this.#overview.add(values, 0);
    this.#peaks.advance(2 * values.length);
  }

  block(level: Level, frames: number): void {
    encodeLevel(level, this.#levels.records, this.#levels.fill);
    this.#levels.advance(levelBytes);
    this.#onBlock(level, this.#blockFrom, frames);
    this.#blockFrom += frames;
  }
}

function peaksFile({ sampleRate, channels }: WavFormat): MeasureFile {
  const pixelBytes = 4 * channels;
  const format = { sampleRate, channels, samplesPerPixel: basePixelSamples };
  return new MeasureFile({
    headerBytes: datHeaderBytes,
    bufferedBytes: bufferedPixels * pixelBytes,
    encodeHeader: (recordBytes) => encodeDatHeader(format, recordBytes / pixelBytes),
  });
}

function levelsFile(sampleRate: number): MeasureFile {
  return new MeasureFile({
    headerBytes: levelsHeaderBytes,
    bufferedBytes: bufferedLevels * levelBytes,
    encodeHeader: (recordBytes) => encodeLevelsHeader(sampleRate, recordBytes / levelBytes),
  });
}
