import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { join } from "node:path";
import { type RecordingEntry, spanOf } from "../../../base/recording-entry.ts";
import { placementOf } from "../../../testing/fixtures/placement.ts";
import { temporaryFolder } from "../../../testing/fixtures/temporary-folder.ts";
import { SqliteCatalog } from "../../streams/sqlite/catalog.ts";
import type { SqlCatalog } from "../../streams/sql/catalog.ts";
import { type CatalogPlace, catalogKinds } from "../../../testing/harness/catalogs.ts";
import { migrations } from "../../streams/sqlite/schema.ts";
import type { TimelineQuery } from "./catalog.ts";
import { timelineSchema } from "./sql.ts";

let place: CatalogPlace;
let catalog: SqlCatalog;

function openEach(create: () => CatalogPlace): void {
  beforeEach(() => {
    place = create();
    catalog = place.open();
  });
  afterEach(() => {
    catalog.close();
    place[Symbol.dispose]();
  });
}

/** A second of audio at 1000 Hz, unless the changes say otherwise. */
function entry(name: string, changes: Partial<RecordingEntry> = {}): RecordingEntry {
  return {
    name,
    device: "mic",
    streamId: 7,
    codec: "pcm",
    sampleRate: 1000,
    channels: 1,
    startedAt: 1000,
    endedAt: 2000,
    frames: 50,
    samples: 1000,
    gaps: 0,
    lostFrames: 0,
    nibbleOrder: null,
    nibbleOrderBy: null,
    placement: placementOf("s"),
    bin: { bytes: 1, sha256: "b".repeat(64) },
    wav: { bytes: 2044, sha256: "a".repeat(64) },
    ...changes,
  };
}

const at = (position: number, session = "s") =>
  entry(`${session}-${position}`, { placement: placementOf(session, { position }) });

const everything: TimelineQuery = {
  source: "mic",
  streamId: undefined,
  fromUs: 0,
  toUs: Number.MAX_SAFE_INTEGER,
  limit: 1000,
};
const read = (query: Partial<TimelineQuery> = {}) =>
  catalog.recordings.timeline.read({ ...everything, ...query });
const rangesOf = (query: Partial<TimelineQuery> = {}) =>
  read(query).spans.map(({ first, past, segments, samples }) => [first, past, segments, samples]);
const idOf = (name: string) => catalog.recordings.after(0, 1000).find((row) => row.name === name)!.id;

describe.each(catalogKinds)("the catalog's timeline $name", ({ create }) => {
  openEach(create);

  test("sources are listed in the order of their names, each with the bounds of its audio", () => {
    const { recordings } = catalog;
    for (const position of [0, 1000, 2000]) recordings.enter(at(position));
    recordings.enter(entry("porch-0", { device: "porch", placement: placementOf("p") }));
    recordings.enter(entry("none-0", { device: null, streamId: 9, placement: placementOf("n") }));
    const all = recordings.timeline.sources("", 10);
    expect(all.map(({ device, streamId }) => device ?? streamId)).toEqual([9, "mic", "porch"]);
    const [, mic] = all;
    expect(mic!.latestUs - mic!.earliestUs).toBe(3_000_000);
    expect(recordings.timeline.sources("", 2)).toEqual(all.slice(0, 2));
    expect(recordings.timeline.sources("mic", 2)).toEqual(all.slice(2));
  });

  test("joins segments that follow each other in a session, in whatever order they are inserted", () => {
    for (const position of [2000, 0, 3000, 1000, 5000]) catalog.recordings.enter(at(position));
    expect(rangesOf()).toEqual([
      [0, 4000, 4, 4000],
      [5000, 6000, 1, 1000],
    ]);
    expect(read().spans[0]).toMatchObject({
      startUs: 1_000_000,
      endUs: 5_000_000,
      sampleRate: 1000,
      run: "run",
    });
    expect(read().bounds).toEqual({ earliestUs: 1_000_000, latestUs: 7_000_000 });
    expect(read().totals).toEqual({ spans: 2, segments: 5, audioUs: 5_000_000, lostFrames: 0 });
  });

  test("keeps its spans right whatever is inserted, replaced and removed", () => {
    const positions = fc.integer({ min: 0, max: 9 }).map((second) => second * 1000);
    const steps = fc.array(fc.record({ position: positions, isEntered: fc.boolean() }), { maxLength: 40 });
    fc.assert(
      fc.property(steps, (all) => {
        const there = new Set<number>();
        for (const { position, isEntered } of all) {
          if (isEntered) catalog.recordings.enter(at(position));
          else if (there.has(position)) catalog.recordings.remove(idOf(`s-${position}`));
          if (isEntered) there.add(position);
          else there.delete(position);
        }
        const expected = runsOf([...there].sort((a, b) => a - b));
        expect(rangesOf()).toEqual(expected);
        expect(read().bounds === undefined).toBe(there.size === 0);
        for (const position of there) catalog.recordings.remove(idOf(`s-${position}`));
      }),
      { numRuns: 60 },
    );
    expect(read().bounds).toBeUndefined();
  });

  test("finds what overlaps a period, and the neighbours of the period", () => {
    for (const position of [0, 2000, 4000, 6000]) catalog.recordings.enter(at(position));
    const period = { fromUs: 3_500_000, toUs: 5_500_000 };
    expect(rangesOf(period)).toEqual([
      [2000, 3000, 1, 1000],
      [4000, 5000, 1, 1000],
    ]);
    expect(read(period).before).toMatchObject({ first: 0 });
    expect(read(period).after).toMatchObject({ first: 6000 });
    expect(read(period).totals).toMatchObject({ spans: 2, audioUs: 1_000_000 });
    expect(rangesOf({ fromUs: 4_000_000, toUs: 5_000_000 })).toEqual([]);
  });

  test("has all spans of a page that end together", () => {
    for (const session of ["a", "b", "c"]) catalog.recordings.enter(at(0, session));
    catalog.recordings.enter(at(1000, "d"));
    expect(rangesOf({ limit: 2 })).toHaveLength(3);
    expect(rangesOf({ limit: 1000 })).toHaveLength(4);
  });

  test("has streams without a device by their ids, and selects streams of a device", () => {
    catalog.recordings.enter({ ...at(0, "a"), device: null });
    catalog.recordings.enter({ ...at(0, "b"), streamId: 8 });
    expect(catalog.recordings.timeline.sourceOf("7")).toBe("#7");
    expect(rangesOf({ source: "#7" })).toHaveLength(1);
    catalog.recordings.enter({ ...at(0, "c"), device: "7" });
    expect(catalog.recordings.timeline.sourceOf("7")).toBe("7");
    expect(rangesOf({ streamId: 7 })).toHaveLength(0);
    expect(rangesOf({ streamId: 8 })).toHaveLength(1);
  });

  test("has the segments of a session by position, with their losses", () => {
    const losses = [{ at: 100, samples: 500 }];
    catalog.recordings.enter({ ...at(0), lostFrames: 2, placement: placementOf("s", { losses }) });
    catalog.recordings.enter(at(1500));
    catalog.recordings.enter(at(2500));
    const { spans, losses: rows } = read();
    const { session } = spans[0]!;
    expect(rangesOf()).toEqual([[0, 3500, 3, 3000]]);
    expect(rows).toEqual([{ session, position: 0, losses }]);
    const namesIn = (first: number, past: number) =>
      catalog.recordings.timeline.segments(session, first, past, 10).map(({ name }) => name);
    expect(namesIn(1499, 1500)).toEqual(["s-0"]);
    expect(namesIn(1500, 2501)).toEqual(["s-1500", "s-2500"]);
    expect(namesIn(0, 9999)).toEqual(["s-0", "s-1500", "s-2500"]);
  });

  test("notes for every session of a connection why it ended", () => {
    for (const session of ["c.0", "c.1", "d.0"]) catalog.recordings.enter(at(0, session));
    catalog.recordings.timeline.end({ connection: "c", reason: "device" });
    expect(
      read()
        .spans.map(({ ended }) => ended)
        .sort(),
    ).toEqual(["device", "device", null]);
  });

  test("keeps what a repair needs until the segment is inserted", () => {
    const started = { name: "s-0", placement: placementOf("s"), frameSamples: 320, fillGaps: false };
    catalog.recordings.start(started);
    expect(catalog.recordings.started("s-0")).toEqual(started);
    catalog.recordings.enter(at(0));
    expect(catalog.recordings.started("s-0")).toBeUndefined();
  });
});

/** The spans of segments of 1000 samples at these positions. */
function runsOf(positions: number[]): number[][] {
  const runs: number[][] = [];
  for (const position of positions) {
    const last = runs.at(-1);
    if (last?.[1] !== position) runs.push([position, position + 1000, 1, 1000]);
    else runs[runs.length - 1] = [last[0]!, position + 1000, last[2]! + 1, last[3]! + 1000];
  }
  return runs;
}

/** Opens rows as an older version left them: without sessions. */
function openMigrated(
  old: string,
  rows: { startedAt: number; device?: string | null; rate?: number; lost?: number }[],
): void {
  const database = new Database(old);
  const number = migrations.indexOf(timelineSchema);
  for (const migration of migrations.slice(0, number)) database.run(migration);
  database.run(`PRAGMA user_version = ${number}`);
  for (const [index, { startedAt, device = "mic", rate = 1000, lost = 0 }] of rows.entries()) {
    database.run(
      `INSERT INTO recordings VALUES (NULL, ?, ?, 7, 'pcm', ?, 1, ?, ?, 50, 1000, 0, ?, NULL, NULL, 1, 'b', 2044, 'a')`,
      [`r${index}`, device, rate, startedAt, startedAt, lost],
    );
  }
  database.close();
  catalog = new SqliteCatalog(old);
}

describe("a catalog of an older version", () => {
  afterEach(() => catalog.close());

  test("gets sessions of the recordings that follow each other", () => {
    using folder = temporaryFolder();
    openMigrated(join(folder.path, "old.db"), [
      { startedAt: 1000 },
      { startedAt: 2080 },
      { startedAt: 3040 },
      { startedAt: 9000, lost: 1 },
      { startedAt: 10_000 },
      { startedAt: 11_000, rate: 2000 },
      { startedAt: 2000, device: null },
    ]);
    expect(
      read().spans.map(({ startUs, endUs, segments }) => [startUs / 1000, endUs / 1000, segments]),
    ).toEqual([
      [1000, 4000, 3],
      [9000, 10_000, 1],
      [10_000, 11_000, 1],
      [11_000, 11_500, 1],
    ]);
    expect(rangesOf({ source: "#7" })).toEqual([[0, 1000, 1, 1000]]);
    const rows = catalog.recordings.after(0, 10);
    expect(rows).toHaveLength(7);
    expect(rows.map((row) => spanOf(row))).toEqual(rows.map(() => 1000));
  });
});
