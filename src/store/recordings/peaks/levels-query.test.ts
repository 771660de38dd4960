import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { rmSync, truncateSync } from "node:fs";
import { join } from "node:path";
import type { RecordingEntry } from "../../../base/recording-entry.ts";
import { temporaryFolder } from "../../../testing/fixtures/temporary-folder.ts";
import { placementOf } from "../../../testing/fixtures/placement.ts";
import { SqliteCatalog } from "../../streams/sqlite/catalog.ts";
import { levelsOfRange, type RangeLevels } from "./levels-query.ts";
import type { PeaksQuery } from "./query.ts";
import { SegmentPeaks } from "./segment-peaks.ts";

const sampleRate = 1000;
/** 3 s. */
const segmentSamples = 3000;

let folder: ReturnType<typeof temporaryFolder>;
let catalog: SqliteCatalog;
beforeEach(() => {
  folder = temporaryFolder();
  catalog = new SqliteCatalog(":memory:");
});
afterEach(() => {
  catalog.close();
  folder[Symbol.dispose]();
});

async function levelsOf(query: PeaksQuery) {
  const folders = { recordings: folder.path, fetched: join(folder.path, "fetched") };
  return (await levelsOfRange(catalog.overviews, folders, query)).levels;
}

function entryOf(name: string, startedAt: number, samples = segmentSamples): RecordingEntry {
  const file = { bytes: 1, sha256: "a".repeat(64) };
  return {
    name,
    device: "mic",
    streamId: 7,
    codec: "pcm",
    sampleRate,
    channels: 1,
    startedAt,
    endedAt: startedAt + samples,
    frames: 1,
    samples,
    gaps: 0,
    lostFrames: 0,
    nibbleOrder: null,
    nibbleOrderBy: null,
    placement: placementOf(name, { sessionStartUs: startedAt * 1000 }),
    bin: file,
    wav: file,
  };
}

/** Records segments, one after the other from 0 on, whose samples are squares of an amplitude for each 100 ms. */
function record(amplitudes: readonly number[]): void {
  const blocks = segmentSamples / 100;
  for (let segment = 0; segment * blocks < amplitudes.length; segment++) {
    const own = amplitudes.slice(segment * blocks, (segment + 1) * blocks);
    const pcm = Int16Array.from(
      own.flatMap((amplitude) => Array.from({ length: 100 }, (_, at) => (at % 2 ? amplitude : -amplitude))),
    );
    const peaks = new SegmentPeaks({ sampleRate, channels: 1 });
    peaks.start(join(folder.path, `s${segment}`));
    peaks.push(pcm, 0, pcm.length);
    const entry = entryOf(`s${segment}`, segment * segmentSamples, pcm.length);
    catalog.recordings.enter(entry);
    catalog.overviews.enter(entry, peaks.finish());
  }
}

async function ask(from: number, to: number, points: number): Promise<RangeLevels> {
  const found = await levelsOf({ source: "mic", from, to, points });
  expect(found).not.toBeNull();
  return found!;
}

const dbfs = (amplitude: number) => 20 * Math.log10(amplitude / 32_768);

describe("the levels of a range", () => {
  test("equal an offline pass over the samples, for any range of whole blocks", async () => {
    const amplitudes = Array.from({ length: 240 }, (_, at) => 1 + ((at * 7919) % 30_000));
    record(amplitudes);
    const range = fc.tuple(fc.nat(239), fc.integer({ min: 1, max: 240 }), fc.integer({ min: 1, max: 300 }));
    const property = fc.asyncProperty(range, async ([first, blocks, points]) => {
      const last = Math.min(240, first + blocks);
      // Fewer would be answered by the catalog, whose levels end where recordings do.
      const wanted = Math.max(points, Math.ceil((last - first) / 29));
      const found = await ask(first * 100, last * 100, wanted);
      const length = found.pointMs / 100;
      expect(found.peak.length).toBe(Math.ceil((last - first) / length));
      for (const [point, peak] of found.peak.entries()) {
        const own = amplitudes.slice(first + point * length, Math.min(last, first + (point + 1) * length));
        const power = own.reduce((sum, amplitude) => sum + amplitude ** 2, 0) / own.length;
        expect(Math.abs(peak! - dbfs(Math.max(...own)))).toBeLessThan(0.31);
        expect(Math.abs(found.rms[point]! - dbfs(Math.sqrt(power)))).toBeLessThan(0.31);
      }
    });
    await fc.assert(property, { numRuns: 200 });
  });

  test("are null where there is no audio, and tell where it clips", async () => {
    record([...Array.from({ length: 45 }, () => 1000), ...Array.from({ length: 15 }, () => 32_767)]);
    catalog.recordings.remove(1);
    const found = await ask(0, 8000, 8);
    expect(found).toEqual({
      pointMs: 1000,
      peak: [null, null, null, -30.5, 0, 0, null, null],
      rms: [null, null, null, -30.5, -3, 0, null, null],
      clipping: [[4, 6]],
    });
  });

  test("are those of the catalog where a file is missing or cut", async () => {
    record([...Array.from({ length: 30 }, () => 1000), ...Array.from({ length: 30 }, () => 2000)]);
    rmSync(join(folder.path, "s0.lvl"));
    truncateSync(join(folder.path, "s1.lvl"), 20);
    const { peak } = await ask(0, 6000, 6);
    expect(peak).toEqual([-30.3, -30.3, -30.3, -24.3, -24.3, -24.3]);
  });

  test("are missing for a device without a recording there", async () => {
    record([1000]);
    for (const [source, from] of [
      ["other", 0],
      ["mic", -5000],
    ] as const) {
      const query = { source, from, to: from + 5000, points: 5 };
      expect(await levelsOf(query)).toBeNull();
    }
  });

  test("of a day come from the catalog alone, page by page", async () => {
    catalog.transaction(() => {
      for (let segment = 0; segment < 8640; segment++) {
        const entry = entryOf(`n${segment}`, segment * 10_000, 10_000);
        catalog.recordings.enter(entry);
        const level = { peak: 16_384, meanSquare: 8192 ** 2, clipped: 0 };
        catalog.overviews.enter(entry, { samplesPerPixel: 16_384, overview: "", ...level });
      }
    }, false);
    const found = await ask(0, 86_400_000, 1440);
    expect(found.pointMs).toBe(60_000);
    expect(new Set(found.peak)).toEqual(new Set([-6]));
    expect(new Set(found.rms)).toEqual(new Set([-12]));
    expect(found.peak.length).toBe(1440);
  });
});
