import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { rmSync, truncateSync } from "node:fs";
import { join } from "node:path";
import type { RecordingEntry } from "../../../base/recording-entry.ts";
import { temporaryFolder } from "../../../testing/fixtures/temporary-folder.ts";
import { placementOf } from "../../../testing/fixtures/placement.ts";
import { SqliteCatalog } from "../../streams/sqlite/catalog.ts";
import { peaksOfRange, type PeaksQuery, type RangePeaks } from "./query.ts";
import { SegmentPeaks } from "./segment-peaks.ts";

const sampleRate = 1000;
/** 2.56 s: ten pixels. */
const segmentSamples = 2560;
const segmentMs = 2560;

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

async function peaksOf(query: PeaksQuery) {
  const folders = { recordings: folder.path, fetched: join(folder.path, "fetched") };
  return (await peaksOfRange(catalog.overviews, folders, query)).peaks;
}

function describeSegment(name: string, startedAt: number): RecordingEntry {
  const file = { bytes: 1, sha256: "a".repeat(64) };
  const counts = { frames: 1, samples: segmentSamples, gaps: 0, lostFrames: 0 };
  const placement = placementOf(name, { sessionStartUs: startedAt * 1000 });
  const nibbles = { nibbleOrder: null, nibbleOrderBy: null };
  const format = { codec: "pcm", sampleRate, channels: 1 } as const;
  const times = { startedAt, endedAt: startedAt + segmentMs };
  return {
    name,
    device: "mic",
    streamId: 7,
    ...format,
    ...times,
    ...counts,
    ...nibbles,
    placement,
    bin: file,
    wav: file,
  };
}

/** Records segments of noise, one after the other; 0 for a segment that is not there. */
function record(segments: number, from = 0): Int16Array {
  const pcm = Int16Array.from(
    { length: segments * segmentSamples },
    (_, at) => (((at + 7) * 7919) % 60_001) - 30_000,
  );
  for (let segment = 0; segment < segments; segment++) {
    const name = `s${segment}`;
    const peaks = new SegmentPeaks({ sampleRate, channels: 1 });
    peaks.start(join(folder.path, name));
    peaks.push(pcm, segment * segmentSamples, segmentSamples);
    const entry = describeSegment(name, from + segment * segmentMs);
    catalog.overviews.enter(entry, peaks.finish());
    catalog.recordings.enter(entry);
  }
  return pcm;
}

async function ask(from: number, to: number, points: number): Promise<RangePeaks> {
  const found = await peaksOf({ source: "mic", from, to, points });
  expect(found).not.toBeNull();
  return found!;
}

function extremes(pcm: Int16Array, samplesPerPixel: number): number[] {
  return Array.from({ length: Math.ceil(pcm.length / samplesPerPixel) }, (_, pixel) => {
    const own = pcm.subarray(pixel * samplesPerPixel, (pixel + 1) * samplesPerPixel);
    return [Math.min(...own), Math.max(...own)];
  }).flat();
}

describe("the peaks of a range", () => {
  test("equal an offline pass over the samples, for any range of whole pixels", async () => {
    const pcm = record(30, 5000);
    const property = fc.asyncProperty(
      fc.nat(299),
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 1, max: 400 }),
      async (first, pixels, points) => {
        const last = Math.min(300, first + pixels);
        // Fewer would be answered by overviews, which end where recordings do.
        const wanted = Math.max(points, Math.ceil((last - first) / 63));
        const found = await ask(5000 + first * 256, 5000 + last * 256, wanted);
        expect(found.data.length / 2).toBeLessThanOrEqual(wanted);
        expect(found.gaps).toEqual([]);
        // The last point is a whole one, with all of a recording that begins in the range.
        const pointsEnd = first * 256 + (found.data.length / 2) * found.samplesPerPixel;
        const end = Math.min(pointsEnd, Math.ceil(last / 10) * segmentSamples);
        const own = pcm.subarray(first * 256, end);
        expect([...found.data]).toEqual(extremes(own, found.samplesPerPixel));
      },
    );
    await fc.assert(property, { numRuns: 200 });
  });

  test("have gaps before, between and after recordings", async () => {
    record(3, 1024);
    catalog.recordings.remove(2);
    const found = await ask(0, 12 * 1024, 12);
    expect(found).toMatchObject({
      samplesPerPixel: 1024,
      gaps: [
        [0, 1],
        [4, 6],
        [9, 12],
      ],
    });
  });

  test("are those of the catalog where a file is missing or cut", async () => {
    const pcm = record(2);
    rmSync(join(folder.path, "s0.dat"));
    truncateSync(join(folder.path, "s1.dat"), 40);
    const { data, gaps } = await ask(0, 5120, 20);
    expect(gaps).toEqual([]);
    for (const segment of [0, 1]) {
      const [min, max] = extremes(
        pcm.subarray(segment * segmentSamples, (segment + 1) * segmentSamples),
        segmentSamples,
      );
      for (let pixel = 10 * segment; pixel < 10 * segment + 10; pixel++)
        expect([data[2 * pixel], data[2 * pixel + 1]]).toEqual([min, max]);
    }
  });

  test("are null for a device without a recording there", async () => {
    record(1, 10_000);
    for (const [source, from, to] of [
      ["other", 0, 20_000],
      ["mic", 0, 10_000],
    ] as const)
      expect(await peaksOf({ source, from, to, points: 5 })).toBeNull();
  });

  test("of a day come from the catalog alone", async () => {
    const one = describeSegment("x", 0);
    const peaks = { samplesPerPixel: 16_384, overview: Buffer.alloc(40, 1).toString("base64") };
    catalog.transaction(() => {
      for (let segment = 0; segment < 8640; segment++) {
        const startedAt = segment * 10_000;
        const placement = placementOf("s", { position: segment * 160_000, sessionStartUs: 0 });
        const entry = { ...one, sampleRate: 16_000, name: `n${segment}`, startedAt, placement };
        catalog.overviews.enter(entry, { ...peaks, peak: 1, meanSquare: 1, clipped: 0 });
      }
    }, false);
    const found = await ask(0, 86_400_000, 2000);
    expect(found.gaps).toEqual([]);
    expect(found.data.length / 2).toBeWithin(1900, 2001);
  });
});
