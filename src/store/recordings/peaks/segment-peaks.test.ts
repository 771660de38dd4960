import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bufferedPixels } from "../../../base/limits/peaks.ts";
import { decodeDat } from "../../../codec/peaks/dat.ts";
import { decodeLevels } from "../../../codec/peaks/levels.ts";
import { encodeWavHeader } from "../../../codec/wav/wav.ts";
import { temporaryFolder } from "../../../testing/fixtures/temporary-folder.ts";
import { measureInPieces, measureSegment } from "./measure.ts";
import { levelsPath, peaksPath } from "./files.ts";
import { SegmentPeaks } from "./segment-peaks.ts";

let folder: ReturnType<typeof temporaryFolder>;
let path: string;
beforeEach(() => {
  folder = temporaryFolder();
  path = join(folder.path, "one");
});
afterEach(() => folder[Symbol.dispose]());

/** Values that differ from pixel to pixel. */
const ramp = (frames: number, channels: number) =>
  Int16Array.from({ length: frames * channels }, (_, at) => ((at * 7919) % 65_536) - 32_768);

function writeWav(pcm: Int16Array, channels: number): void {
  const header = encodeWavHeader(16_000, channels, pcm.byteLength);
  writeFileSync(`${path}.wav`, Buffer.concat([header, new Uint8Array(pcm.buffer)]));
}

function measureLive(pcm: Int16Array, channels: number, piece: number) {
  const peaks = new SegmentPeaks({ sampleRate: 16_000, channels });
  peaks.start(path);
  const frames = pcm.length / channels;
  for (let at = 0; at < frames; at += piece) peaks.push(pcm, at * channels, Math.min(piece, frames - at));
  return peaks.finish();
}

describe("the peaks of a segment", () => {
  for (const channels of [1, 2]) {
    test(`are the same live, at once and in pieces, however long it is, ${channels} channels`, async () => {
      for (const frames of [0, 1, 256, 160_000, 256 * bufferedPixels, 256 * bufferedPixels * 2 + 77]) {
        const pcm = ramp(frames, channels);
        writeWav(pcm, channels);
        const live = measureLive(pcm, channels, 320);
        const file = readFileSync(peaksPath(path));
        const levels = readFileSync(levelsPath(path));
        expect(decodeLevels(levels)?.codes.length).toBe(2 * Math.ceil(frames / 1600));
        expect(decodeDat(file)?.data.length).toBe(Math.ceil(frames / 256) * 2 * channels);
        for (const measure of [measureSegment, measureInPieces]) {
          writeFileSync(peaksPath(path), "damaged");
          writeFileSync(levelsPath(path), "damaged");
          const again = await measure(path);
          expect(again).toEqual({ ...live, meanSquare: expect.closeTo(live.meanSquare, 3) });
          expect(readFileSync(peaksPath(path)).equals(file)).toBe(true);
          expect(readFileSync(levelsPath(path)).equals(levels)).toBe(true);
        }
      }
    });
  }

  test("take less than 1 MB for an hour at 16 kHz, with the levels", () => {
    const pcm = ramp(160_000, 1);
    let bytes = 0;
    for (let segment = 0; segment < 360; segment++) {
      const { overview } = measureLive(pcm, 1, 1600);
      bytes += readFileSync(peaksPath(path)).length + readFileSync(levelsPath(path)).length;
      bytes += Buffer.from(overview, "base64").length;
    }
    expect(bytes).toBeLessThan(1_000_000);
  });

  test("have a file that counts as damaged until it is complete", () => {
    const peaks = new SegmentPeaks({ sampleRate: 16_000, channels: 1 });
    peaks.start(path);
    peaks.push(ramp(256 * bufferedPixels, 1), 0, 256 * bufferedPixels);
    const file = readFileSync(peaksPath(path));
    expect(file.length).toBe(24 + 4 * bufferedPixels);
    expect(decodeDat(file)).toBeUndefined();
    peaks.finish();
    expect(decodeDat(readFileSync(peaksPath(path)))?.data.length).toBe(2 * bufferedPixels);
  });

  test("have no file if the segment failed, and the next segment starts anew", () => {
    const peaks = new SegmentPeaks({ sampleRate: 16_000, channels: 1 });
    peaks.start(path);
    peaks.push(ramp(256 * bufferedPixels + 5, 1), 0, 256 * bufferedPixels + 5);
    peaks.discard();
    expect([peaksPath(path), levelsPath(path)].map((file) => existsSync(file))).toEqual([false, false]);
    peaks.start(path);
    peaks.push(Int16Array.of(3, -4), 0, 2);
    expect(peaks.finish()).toMatchObject({ peak: 4, meanSquare: 12.5, clipped: 0 });
    expect(decodeDat(readFileSync(peaksPath(path)))?.data).toEqual(Int16Array.of(-4, 3));
  });

  test("keep their overview if their file cannot be written", () => {
    mkdirSync(peaksPath(path));
    const pcm = ramp(160_000, 1);
    const { problem, ...kept } = measureLive(pcm, 1, 320);
    expect(problem).toContain("EISDIR");
    path = join(folder.path, "two");
    expect(kept).toEqual(measureLive(pcm, 1, 320));
  });

  test("of a file of another program are not made", () => {
    writeFileSync(`${path}.wav`, "RIFF of something else");
    expect(measureSegment(path)).toBeUndefined();
    expect(existsSync(peaksPath(path))).toBe(false);
  });
});
