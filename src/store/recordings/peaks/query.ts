/**
 * Answers how a device sounded in a range of time. Where a point is longer than a pixel of the overviews, the catalog alone
 * answers, so a day opens no file. For finer points the `.dat` of each recording is read; overviews replace those that
 * cannot be.
 */
import { basePixelSamples, maxPeakFiles } from "../../../base/limits/peaks.ts";
import { decodeDat, type Peaks } from "../../../codec/peaks/dat.ts";
import { PeakPoints } from "../../../codec/peaks/points.ts";
import type { OverviewRow, PeakCatalog } from "./catalog.ts";
import { type MeasuredFolders, MeasuredFiles, type MeasuredRef, peaksPath } from "./files.ts";

export interface PeaksQuery {
  /** The sanitised hardware id, or `#` and the stream id of a device without one. */
  source: string;
  /** In ms since 1970; `to` is exclusive. */
  from: number;
  to: number;
  /** How many points there may be at most. */
  points: number;
}

/** Peaks of one channel. Pixel 0 begins at `from`. */
export interface RangePeaks extends Peaks {
  channels: 1;
  /** Pixels without audio, as [first, one after the last]; their values are 0. */
  gaps: [from: number, to: number][];
}

/** Rows of one look into the catalog, between which the thread does other work. */
const pageRows = 1000;
/** Files that are read at once. */
const concurrentFiles = 16;

/** No peaks if the catalog has no recording of the device in the range. `absent` is what the archive has in more detail. */
export async function peaksOfRange(
  catalog: PeakCatalog,
  folders: MeasuredFolders,
  query: PeaksQuery,
): Promise<{ peaks: RangePeaks | null; absent: MeasuredRef[] }> {
  let target: RangeTarget | undefined;
  let after: OverviewRow | undefined;
  do {
    const rows = catalog.list({ ...query, after, limit: pageRows });
    if (rows.length === 0) break;
    target ??= new RangeTarget(query, folders, rows[0]!.overview.sampleRate);
    await target.add(rows);
    after = rows.length < pageRows ? undefined : rows.at(-1);
  } while (after !== undefined);
  return { peaks: target?.result() ?? null, absent: target?.absent ?? [] };
}

class RangeTarget {
  readonly #from: number;
  readonly #files: MeasuredFiles;
  readonly #sampleRate: number;
  readonly #samplesPerPixel: number;
  readonly #points: PeakPoints;
  /** Files that may still be read. */
  #filesLeft = maxPeakFiles;

  /** Points are whole pixels of the finest peaks, so that they begin and end where those do. */
  constructor({ from, to, points }: PeaksQuery, folders: MeasuredFolders, sampleRate: number) {
    const samples = ((to - from) / 1000) * sampleRate;
    this.#from = from;
    this.#files = new MeasuredFiles(folders, peaksPath);
    this.#sampleRate = sampleRate;
    this.#samplesPerPixel = Math.max(1, Math.ceil(samples / points / basePixelSamples)) * basePixelSamples;
    const seconds = this.#samplesPerPixel / sampleRate;
    this.#points = new PeakPoints(Math.max(1, Math.ceil(samples / this.#samplesPerPixel)), seconds);
  }

  get absent(): MeasuredRef[] {
    return this.#files.absent;
  }

  async add(rows: OverviewRow[]): Promise<void> {
    const coarse = rows.filter((row) => this.#isCoarse(row));
    for (const row of rows) if (!this.#isCoarse(row)) this.#addPeaks(row.overview, row.startUs);
    for (let at = 0; at < coarse.length; at += concurrentFiles) {
      await Promise.all(coarse.slice(at, at + concurrentFiles).map((row) => this.#addFile(row)));
    }
    // Lets commits of the keeper come in between.
    await new Promise<void>((resolve) => setImmediate(resolve));
  }

  result(): RangePeaks {
    return {
      sampleRate: this.#sampleRate,
      samplesPerPixel: this.#samplesPerPixel,
      channels: 1,
      data: this.#points.values,
      gaps: this.#points.gaps(),
    };
  }

  /** Whether the overview has less detail than is asked for, and its file may have more. */
  #isCoarse({ overview: { samplesPerPixel, sampleRate } }: OverviewRow): boolean {
    return samplesPerPixel / sampleRate > this.#samplesPerPixel / this.#sampleRate;
  }

  async #addFile(row: OverviewRow): Promise<void> {
    this.#filesLeft -= 1;
    const peaks = this.#filesLeft < 0 ? undefined : await this.#files.read(row, decodeDat);
    this.#addPeaks(peaks ?? row.overview, row.startUs);
  }

  #addPeaks(peaks: Peaks, startUs: number): void {
    this.#points.add(peaks, (startUs - this.#from * 1000) / 1_000_000);
  }
}
