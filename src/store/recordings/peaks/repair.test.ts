import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RecordingEntry } from "../../../base/recording-entry.ts";
import { encodeWavHeader } from "../../../codec/wav/wav.ts";
import { placementOf } from "../../../testing/fixtures/placement.ts";
import { temporaryFolder } from "../../../testing/fixtures/temporary-folder.ts";
import { SqliteCatalog } from "../../streams/sqlite/catalog.ts";
import { PeakRepair } from "./repair.ts";

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

const samples = 3000;
const datBytes = 24 + 4 * Math.ceil(samples / 256);

function entry(name: string, changes: Partial<RecordingEntry> = {}): RecordingEntry {
  return {
    name,
    device: "mic",
    streamId: 7,
    codec: "pcm",
    sampleRate: 16_000,
    channels: 1,
    startedAt: 1000,
    endedAt: 2000,
    frames: 1,
    samples,
    gaps: 0,
    lostFrames: 0,
    nibbleOrder: null,
    nibbleOrderBy: null,
    placement: placementOf(name),
    bin: { bytes: 0, sha256: "b".repeat(64) },
    wav: { bytes: 44 + 2 * samples, sha256: "a".repeat(64) },
    ...changes,
  };
}

function record(name: string, changes: Partial<RecordingEntry> = {}): void {
  const pcm = Int16Array.from({ length: samples }, (_, at) => at);
  const header = encodeWavHeader(16_000, 1, pcm.byteLength);
  writeFileSync(join(folder.path, `${name}.wav`), Buffer.concat([header, new Uint8Array(pcm.buffer)]));
  catalog.recordings.enter(entry(name, changes));
}

const lvlBytes = 12 + 2 * Math.ceil(samples / 1600);
const repair = () => new PeakRepair(catalog).run(folder.path, catalog.recordings.after(0, 100));
const sizeOf = (name: string) => statSync(join(folder.path, `${name}.dat`)).size;
const overviews = (source: string) =>
  catalog.overviews.list({ source, from: 0, to: Infinity, after: undefined, limit: 100 });

const names = (from: number, to: number, after?: { startedAt: number; name: string }) =>
  catalog.overviews.list({ source: "mic", from, to, after, limit: 3 }).map(({ name }) => name);

describe("the repair of peaks", () => {
  test("makes those of recordings without any, and of those whose file is gone or cut", async () => {
    record("a");
    record("b", { device: null });
    expect(await repair()).toBeUndefined();
    expect([sizeOf("a"), sizeOf("b")]).toEqual([datBytes, datBytes]);
    expect(overviews("mic")).toMatchObject([{ name: "a", startedAt: 1000 }]);
    expect(overviews("#7")).toMatchObject([{ name: "b" }]);
    rmSync(join(folder.path, "a.dat"));
    truncateSync(join(folder.path, "b.dat"), 30);
    expect(await repair()).toBeUndefined();
    expect([sizeOf("a"), sizeOf("b")]).toEqual([datBytes, datBytes]);
    expect(overviews("mic").length).toBe(1);
  });

  test("makes levels that are gone or cut", async () => {
    record("a");
    for (const damage of [
      () => rmSync(join(folder.path, "a.lvl")),
      () => truncateSync(join(folder.path, "a.lvl"), 5),
    ]) {
      await repair();
      expect(statSync(join(folder.path, "a.lvl")).size).toBe(lvlBytes);
      damage();
    }
    await repair();
    expect(statSync(join(folder.path, "a.lvl")).size).toBe(lvlBytes);
  });

  test("leaves whole ones as they are", async () => {
    record("a");
    await repair();
    const { mtimeMs, ino } = statSync(join(folder.path, "a.dat"));
    chmodSync(join(folder.path, "a.wav"), 0);
    rmSync(join(folder.path, "a.wav"));
    expect(await repair()).toBeUndefined();
    expect(statSync(join(folder.path, "a.dat"))).toMatchObject({ mtimeMs, ino });
  });

  test("says why it cannot make them", async () => {
    record("a");
    mkdirSync(join(folder.path, "a.dat"));
    expect(await repair()).toContain("EISDIR");
    expect(overviews("mic").length).toBe(1);
  });
});

describe("the overview of a recording", () => {
  const peaks = { samplesPerPixel: 16_384, overview: "AQACAA==", peak: 2, meanSquare: 4, clipped: 0 };

  function enter(name: string, changes: Partial<RecordingEntry> = {}): void {
    catalog.overviews.enter(entry(name, changes), peaks);
    catalog.recordings.enter(entry(name, changes));
  }

  test("is read as it was entered", () => {
    enter("a");
    const overview = { sampleRate: 16_000, channels: 1, samplesPerPixel: 16_384, data: Int16Array.of(1, 2) };
    expect(overviews("mic")).toMatchObject([{ name: "a", startedAt: 1000, startUs: 1_000_000, overview }]);
  });

  test("goes with its recording, and with one that replaces it", () => {
    enter("a", { startedAt: 1 });
    enter("a", { startedAt: 2 });
    expect(overviews("mic").map(({ startedAt }) => startedAt)).toEqual([2]);
    enter("b", { device: null });
    for (const { id } of catalog.recordings.after(0, 10)) catalog.recordings.remove(id);
    expect([...overviews("mic"), ...overviews("#7")]).toEqual([]);
  });

  test("is listed by time, page by page, from the recording on that is running at the beginning", () => {
    for (const [name, startedAt] of [
      ["d", 30],
      ["a", 10],
      ["c", 20],
      ["b", 20],
      ["x", 40],
    ] as const)
      enter(name, { startedAt });
    enter("other", { device: "other", startedAt: 20 });
    expect(names(0, 41)).toEqual(["a", "b", "c"]);
    expect(names(0, 41, { startedAt: 20, name: "b" })).toEqual(["c", "d", "x"]);
    expect(names(19, 30)).toEqual(["a", "b", "c"]);
    expect(names(30, 40)).toEqual(["d"]);
    expect(names(41, 50)).toEqual(["x"]);
  });
});
