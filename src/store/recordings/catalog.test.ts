import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { RecordingEntry } from "../../base/recording-entry.ts";
import { placementOf } from "../../testing/fixtures/placement.ts";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import type { RecordingQuery } from "./catalog.ts";
import { migrations } from "../streams/sqlite/schema.ts";
import { SqliteCatalog } from "../streams/sqlite/catalog.ts";
import type { SqlCatalog } from "../streams/sql/catalog.ts";
import { type CatalogPlace, catalogKinds } from "../../testing/harness/catalogs.ts";

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

function entry(name: string, changes: Partial<RecordingEntry> = {}): RecordingEntry {
  return {
    name,
    device: "mic",
    streamId: 4294967295,
    codec: "adpcm",
    sampleRate: 16_000,
    channels: 1,
    startedAt: 1000,
    endedAt: 2000,
    frames: 50,
    samples: 16_000,
    gaps: 1,
    lostFrames: 2,
    nibbleOrder: "high",
    nibbleOrderBy: "matched",
    placement: placementOf(name),
    bin: { bytes: 8800, sha256: "b".repeat(64) },
    wav: { bytes: 32_044, sha256: "a".repeat(64) },
    ...changes,
  };
}

const all: RecordingQuery = {
  device: undefined,
  from: 0,
  to: Number.MAX_SAFE_INTEGER,
  after: undefined,
  limit: 1000,
};
const namesOf = (query: Partial<RecordingQuery> = {}) =>
  catalog.recordings.list({ ...all, ...query }).map((row) => row.name);

function enterAndFail(): never {
  catalog.recordings.enter(entry("a"));
  throw new Error("no");
}

describe.each(catalogKinds)("the catalog of recordings $name", ({ create }) => {
  openEach(create);

  test("takes a range of overviews that begins and ends between two milliseconds", () => {
    const query = { source: "mic", from: 0.5, to: 10.5, after: undefined, limit: 10 };
    expect(catalog.overviews.list(query)).toEqual([]);
    expect(catalog.overviews.listLevels(query)).toEqual([]);
  });

  test("counts what the files of a token's recordings take, also after a repair and a repeated insert", () => {
    const stored = () => catalog.accounts.storedBytes("kitchen", []);
    const started = { placement: placementOf("a"), frameSamples: 320, fillGaps: false };
    catalog.recordings.start({ ...started, name: "a", account: "kitchen" });
    const id = catalog.recordings.enter(entry("a"));
    const { fileBytes, account } = catalog.recordings.find(id)!;
    expect(account).toBe("kitchen");
    expect(stored()).toBe(fileBytes);
    catalog.recordings.enter(entry("a"));
    expect(stored()).toBe(fileBytes);
    const other = catalog.recordings.enter(entry("b", { account: "kitchen" }));
    catalog.recordings.enter(entry("c"));
    expect(stored()).toBe(2 * fileBytes);
    catalog.recordings.remove(other);
    expect(stored()).toBe(fileBytes);
  });

  test("returns what was inserted, also after reopening", () => {
    const recordings = [
      entry("a"),
      entry("with a checksum", {
        wav: { bytes: 32_044, sha256: "a".repeat(64), checksum: "0123456789abcdef" },
      }),
      entry("b", { device: null, codec: "pcm", nibbleOrder: null, nibbleOrderBy: null }),
    ];
    catalog.transaction(() => recordings.forEach((each) => catalog.recordings.enter(each)), true);
    // Both files, the peaks with a pixel for each 256 samples, and the levels of each 100 ms.
    const fileBytes = 8800 + 32_044 + (24 + 4 * 63) + (12 + 2 * 10);
    const expected = recordings.map((each, index) =>
      Object.assign({ id: index + 1, isPinned: false, fileBytes }, each),
    );
    expect(catalog.recordings.list(all)).toEqual(expected);
    catalog.close();
    catalog = place.open();
    expect(catalog.recordings.list(all)).toEqual(expected);
    expect(catalog.recordings.has("a")).toBe(true);
    expect(catalog.recordings.has("c")).toBe(false);
  });

  test("gives reads of a period the digests of each file", () => {
    const wav = { bytes: 32_044, sha256: "a".repeat(64), checksum: "0123456789abcdef" };
    const { timeline } = catalog.recordings;
    catalog.recordings.enter(entry("new", { wav }));
    catalog.recordings.enter(entry("old"));
    const sessions = timeline.read({
      source: "mic",
      streamId: undefined,
      fromUs: 0,
      toUs: 1e12,
      limit: 10,
    }).spans;
    const segments = sessions.flatMap(({ session, first, past }) =>
      timeline.segments(session, first, past, 10),
    );
    expect(segments.map((segment) => segment.wav)).toEqual([wav, entry("old").wav]);
  });

  test("replaces a recording of the same name", () => {
    catalog.recordings.enter(entry("a"));
    catalog.recordings.enter(entry("a", { frames: 7 }));
    expect(catalog.recordings.list(all).map((row) => row.frames)).toEqual([7]);
  });

  test("lists by time, then by id; of one device; within a time range; page by page", () => {
    const times: [string, string | null, number][] = [
      ["d", "one", 30],
      ["a", "one", 10],
      ["c", "two", 20],
      ["b", "one", 20],
      ["e", null, 40],
    ];
    for (const [name, device, startedAt] of times)
      catalog.recordings.enter(entry(name, { device, startedAt }));
    expect(namesOf()).toEqual(["a", "c", "b", "d", "e"]);
    expect(namesOf({ device: "one" })).toEqual(["a", "b", "d"]);
    expect(namesOf({ device: "" })).toEqual([]);
    expect(namesOf({ from: 20, to: 40 })).toEqual(["c", "b", "d"]);
    expect(namesOf({ device: "two", from: 21 })).toEqual([]);
    for (const device of [undefined, "one"]) {
      const paged: string[] = [];
      for (let after: RecordingQuery["after"]; ;) {
        const [row] = catalog.recordings.list({ ...all, device, after, limit: 1 });
        if (row === undefined) break;
        paged.push(row.name);
        after = { startedAt: row.startedAt, id: row.id };
      }
      expect(paged).toEqual(namesOf({ device }));
    }
    expect(namesOf({ after: { startedAt: 20, id: 3 }, from: 0 })).toEqual(["b", "d", "e"]);
  });

  test("removes a recording by its id, and pages through all of them by id", () => {
    const { recordings } = catalog;
    for (const name of ["c", "a", "b"]) recordings.enter(entry(name));
    const rows = recordings.after(0, 10);
    expect(rows.map(({ name }) => name)).toEqual(["c", "a", "b"]);
    expect(recordings.after(rows[0]!.id, 1).map(({ name }) => name)).toEqual(["a"]);
    recordings.remove(rows[1]!.id);
    expect(recordings.after(0, 10).map(({ name }) => name)).toEqual(["c", "b"]);
    expect(recordings.has("a")).toBe(false);
    expect(recordings.find(rows[1]!.id)).toBeUndefined();
    expect(recordings.find(rows[0]!.id)).toEqual(rows[0]!);
  });

  test("is rolled back with the rest of a failed transaction", () => {
    expect(() => catalog.transaction(enterAndFail, true)).toThrow("no");
    expect(namesOf()).toEqual([]);
  });
});

/** The schema of version 1 of the catalog. */
const versionOne = `
  CREATE TABLE streams (
    id          TEXT    NOT NULL PRIMARY KEY,
    state       INTEGER NOT NULL,
    key         TEXT    NOT NULL,
    size        INTEGER NOT NULL,
    sha256      TEXT,
    format      TEXT,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    finished_at INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX streams_by_object ON streams (sha256) WHERE sha256 IS NOT NULL;
  CREATE INDEX streams_unfinished ON streams (updated_at) WHERE state = 0;
  INSERT INTO streams VALUES ('old', 2, 'key', 3, 'abc', NULL, 1, 2, 3);
  INSERT INTO streams VALUES ('left', 0, 'key', 9, NULL, NULL, 1, 2, NULL);
  PRAGMA user_version = 1;
`;

test("a catalog of version 1 keeps its streams and accepts recordings", () => {
  using folder = temporaryFolder();
  const old = join(folder.path, "old.db");
  const database = new Database(old);
  database.run(versionOne);
  database.close();
  catalog = new SqliteCatalog(old);
  expect(catalog.find("old")).toMatchObject({ state: "finished", size: 3, sha256: "abc", finishedAt: 3 });
  expect(catalog.find("left")).toMatchObject({ state: "unfinished", size: 9, durableBytes: 9 });
  catalog.recordings.enter(entry("new"));
  catalog.close();
  catalog = new SqliteCatalog(old);
  expect(namesOf()).toEqual(["new"]);
  expect(catalog.find("old")).toBeDefined();
  catalog.close();
  const after = new Database(old);
  expect(after.query("PRAGMA user_version").get()).toEqual({ user_version: migrations.length });
  after.close();
  new SqliteCatalog(old).close();
});
