/**
 * Answers how loud a device was in a range of time. Where a point is longer than a recording, the catalog alone answers, which
 * has the level of each; so a day opens no file. For finer points the `.lvl` of each recording is read.
 */
import { levelBlockMs, maxPeakFiles, minClippedSamples } from "../../../base/limits/peaks.ts";
import { peakDbfs, rmsDbfs } from "../../../codec/peaks/level.ts";
import { LevelPoints } from "../../../codec/peaks/level-points.ts";
import { decodeLevels } from "../../../codec/peaks/levels.ts";
import type { LevelRow, PeakCatalog } from "./catalog.ts";
import { type MeasuredFolders, MeasuredFiles, type MeasuredRef, levelsPath } from "./files.ts";
import type { PeaksQuery } from "./query.ts";

/** The levels of all channels. Point 0 begins at the start of the range. */
export interface RangeLevels {
  /** Duration of a point, a multiple of 100 ms. */
  pointMs: number;
  /** In dBFS; null for a point without audio. */
  peak: (number | null)[];
  rms: (number | null)[];
  /** Points in which samples are clipped, as [first, one after the last]. */
  clipping: [from: number, to: number][];
}

/** Rows of one look into the catalog, between which the thread does other work. */
const pageRows = 1000;
/** Files that are read at once. */
const concurrentFiles = 16;

/** No levels if the catalog has no recording of the device in the range. `absent` is what the archive has in more detail. */
export async function levelsOfRange(
  catalog: PeakCatalog,
  folders: MeasuredFolders,
  query: PeaksQuery,
): Promise<{ levels: RangeLevels | null; absent: MeasuredRef[] }> {
  const target = new LevelTarget(query, folders);
  let after: LevelRow | undefined;
  let isEmpty = true;
  do {
    const rows = catalog.listLevels({ ...query, after, limit: pageRows });
    isEmpty &&= rows.length === 0;
    await target.add(rows);
    after = rows.length < pageRows ? undefined : rows.at(-1);
  } while (after !== undefined);
  return { levels: isEmpty ? null : target.result(), absent: target.absent };
}

class LevelTarget {
  readonly #from: number;
  readonly #files: MeasuredFiles;
  readonly #pointMs: number;
  readonly #points: LevelPoints;
  /** Files that may still be read. */
  #filesLeft = maxPeakFiles;

  constructor({ from, to, points }: PeaksQuery, folders: MeasuredFolders) {
    this.#from = from;
    this.#files = new MeasuredFiles(folders, levelsPath);
    this.#pointMs = Math.max(1, Math.ceil((to - from) / points / levelBlockMs)) * levelBlockMs;
    this.#points = new LevelPoints((to - from) / 1000, this.#pointMs / 1000);
  }

  get absent(): MeasuredRef[] {
    return this.#files.absent;
  }

  async add(rows: LevelRow[]): Promise<void> {
    const long = rows.filter((row) => this.#isLong(row));
    for (const row of rows) if (!this.#isLong(row)) this.#addWhole(row);
    for (let at = 0; at < long.length; at += concurrentFiles) {
      await Promise.all(long.slice(at, at + concurrentFiles).map((row) => this.#addFile(row)));
    }
    // Lets commits of the keeper come in between.
    await new Promise<void>((resolve) => setImmediate(resolve));
  }

  result(): RangeLevels {
    const points = this.#points;
    return { pointMs: this.#pointMs, peak: points.peaks(), rms: points.rms(), clipping: points.clipping() };
  }

  #isLong({ samples, sampleRate }: LevelRow): boolean {
    return (samples / sampleRate) * 1000 > this.#pointMs;
  }

  async #addFile(row: LevelRow): Promise<void> {
    this.#filesLeft -= 1;
    const levels = this.#filesLeft < 0 ? undefined : await this.#files.read(row, decodeLevels);
    if (levels === undefined) this.#addWhole(row);
    else this.#points.add(levels, this.#secondsOf(row), row.samples / row.sampleRate);
  }

  #addWhole(row: LevelRow): void {
    const level = { peak: peakDbfs(row), rms: rmsDbfs(row), isClipping: row.clipped >= minClippedSamples };
    this.#points.addWhole(level, this.#secondsOf(row), row.samples / row.sampleRate);
  }

  #secondsOf({ startUs }: LevelRow): number {
    return (startUs - this.#from * 1000) / 1_000_000;
  }
}
