import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { entryOf } from "../../testing/fixtures/recording-entry.ts";
import { placementOf } from "../../testing/fixtures/placement.ts";
import { type CatalogPlace, catalogKinds, postgresKind } from "../../testing/harness/catalogs.ts";
import { postgresPrograms } from "../../testing/harness/servers/postgres.ts";
import type { SqlCatalog } from "../streams/sql/catalog.ts";
import type { ArchiveCatalog } from "./catalog.ts";

const address = "s3://bucket/@aws";
let place: CatalogPlace;
let catalog: SqlCatalog;
let archive: ArchiveCatalog;

function open(): void {
  catalog = place.open({ monotonicMs: () => 0 });
  ({ archive } = catalog);
  archive.use(address);
}

const due = () => archive.due(0, 100, []);
const itemOf = (name: string) => due().find(({ recording }) => recording === name)!;
const keys = () => archive.removals(0, 100, []).map(({ key }) => key);

describe.each(catalogKinds)("recordings in the archive $name", (kind) => {
  beforeEach(() => {
    place = kind.create();
    open();
  });
  afterEach(() => {
    catalog.close();
    place[Symbol.dispose]();
  });

  test("are queued with their rows, each under a key of its own that has its name", () => {
    catalog.recordings.enter(entryOf("mic/one"));
    catalog.recordings.enter(entryOf("mic/two", { endedAt: 3000 }));
    expect(due().map(({ recording, size, isLocal }) => [recording, size, isLocal])).toEqual([
      ["mic/one", 32_044, true],
      ["mic/two", 32_044, true],
    ]);
    expect(itemOf("mic/one").key).toMatch(/^recordings\/mic\/one\.[0-9a-f]{8}\.wav$/);
    expect(archive.totals()).toMatchObject({
      queued: 0,
      recordings: { queued: 2, queuedBytes: 64_088, archived: 0 },
      oldestQueuedAt: 2000,
    });
  });

  test("wait in one queue with objects, the oldest first", () => {
    catalog.recordings.enter(entryOf("late", { endedAt: 9000 }));
    catalog.reserve("s", "key", 1);
    catalog.seal({ streamId: "s", size: 5, sha256: "c".repeat(64), format: null }, 1);
    catalog.finish("s", 5000);
    catalog.recordings.enter(entryOf("early"));
    expect(due().map(({ recording }) => recording)).toEqual(["early", null, "late"]);
    expect(archive.due(0, 1, [itemOf("early").key]).map(({ recording }) => recording)).toEqual([null]);
  });

  test("of the time before the archive follow, page by page, also those of a catalog of an older version", () => {
    archive.use(undefined);
    for (const name of ["a", "b", "c"]) catalog.recordings.enter(entryOf(name));
    expect(due()).toEqual([]);
    archive.use(address);
    let pages = 0;
    while (archive.fill(2, 7)) pages += 1;
    expect([pages, due().map(({ recording }) => recording)]).toEqual([
      2,
      expect.arrayContaining(["a", "b", "c"]),
    ]);
    expect(archive.fill(2, 7)).toBe(false);
  });

  test("leave their keys for removal when they go, are replaced, or become another recording", () => {
    const id = catalog.recordings.enter(entryOf("one"));
    const { key } = itemOf("one");
    archive.begun(itemOf("one"), "upload");
    expect(archive.uploads("", 10)).toEqual([{ key, uploadId: "upload" }]);
    catalog.recordings.enter(entryOf("one", { wav: { bytes: 99, sha256: "d".repeat(64) } }));
    expect([keys(), itemOf("one").sha256[0]]).toEqual([[key], "d"]);
    expect(archive.removals(0, 1, [])[0]).toMatchObject({ uploadId: "upload", size: 32_044 });
    const second = itemOf("one").key;
    catalog.recordings.remove(catalog.recordings.after(0, 1)[0]!.id);
    expect([keys().toSorted(), due()]).toEqual([[key, second].toSorted(), []]);
    expect(archive.archived({ sha256: "a".repeat(64), key })).toBe(false);
    expect(catalog.recordings.find(id)?.archive).toBeUndefined();
  });

  test("that are joined leave the keys of all sources, and the joined one is queued", () => {
    const ids = ["one", "two"].map((name, index) =>
      catalog.recordings.enter(
        entryOf(name, { placement: { ...placementOf("s"), position: index * 16_000 } }),
      ),
    );
    const sources = due().map(({ key }) => key);
    const rows = ids.map((id) => catalog.recordings.find(id)!);
    catalog.joins.note("joined", ["one", "two"]);
    catalog.joins.replace(
      rows,
      { ...rows[0]!, name: "joined", wav: { bytes: 64_044, sha256: "e".repeat(64) } },
      5,
    );
    expect(keys()).toEqual(sources.toSorted());
    archive.recordings.delayRemoval(sources[0]!, 50);
    expect(keys()).toEqual([sources[1]!]);
    expect(archive.removals(50, 9, []).map(({ key }) => key)).toEqual([sources[1]!, sources[0]!]);
    expect(due().map(({ recording, sha256 }) => [recording, sha256[0]])).toEqual([["joined", "e"]]);
  });

  test("say in their rows whether the archive has them, and whether their samples are here, too", () => {
    const id = catalog.recordings.enter(entryOf("one"));
    const { key } = itemOf("one");
    expect(catalog.recordings.find(id)!.archive).toBeUndefined();
    expect(archive.recordings.setLocal(id, false)).toBe(false);
    archive.archived(itemOf("one"));
    expect(catalog.recordings.find(id)!.archive).toEqual({ key, isLocal: true });
    expect(archive.recordings.setLocal(id, false)).toBe(true);
    const { session } = catalog.recordings.timeline.read({
      source: "mic",
      streamId: undefined,
      fromUs: 0,
      toUs: 1e15,
      limit: 10,
    }).spans[0]!;
    const [segment] = catalog.recordings.timeline.segments(session, 0, 16_000, 10);
    expect(segment!.archive).toEqual({ key, isLocal: false });
    expect(archive.findAnywhere("a".repeat(64))).toMatchObject({ key, isForeign: true, recording: "one" });
    expect(archive.totals().recordings).toMatchObject({ archived: 1, evicted: 1, evictedBytes: 32_044 });
    expect(archive.use("s3://other/@aws")).toBe(false);
    archive.recordings.setLocal(id, true);
    expect(archive.use("s3://other/@aws")).toBe(true);
  });

  test("can be evicted by their last use, unless they are pinned, by themselves or by a range", () => {
    const names = ["a", "b", "c", "d"];
    const ids = names.map((name, index) =>
      catalog.recordings.enter(entryOf(name, { startedAt: index * 10_000, endedAt: index * 10_000 + 500 })),
    );
    expect(archive.recordings.evictable({ usedAt: -1, id: -1 }, 10)).toEqual([]);
    for (const item of due()) archive.archived(item);
    catalog.retention.noteReads("recordings", [{ id: ids[0]!, at: 99_999 }]);
    catalog.retention.pinRecording(ids[1]!, true);
    catalog.retention.pinRange({ device: "mic", from: 20_000, to: 20_100 }, true);
    const found = archive.recordings.evictable({ usedAt: -1, id: -1 }, 10);
    expect(found.map(({ name }) => name)).toEqual(["d", "a"]);
    expect(archive.recordings.evictable(found[0]!, 10).map(({ name }) => name)).toEqual(["a"]);
  });

  test("that the archive has lost are stored again if they are here, and named if they are not", () => {
    const [one, two] = ["one", "two"].map((name) => catalog.recordings.enter(entryOf(name)));
    for (const item of due()) archive.archived(item);
    archive.recordings.setLocal(two!, false);
    expect(archive.recordings.lost("a".repeat(64))).toEqual(["two"]);
    expect(due().map(({ recording }) => recording)).toEqual(["one"]);
    expect(catalog.recordings.find(one!)!.archive).toBeUndefined();
  });

  test("through any history have one item each, no key has two fates, and the totals are right", () => {
    const step = fc.record({
      kind: fc.constantFrom("enter", "remove", "archived", "evict", "localize"),
      name: fc.constantFrom("a", "b", "c"),
      bytes: fc.constantFrom(100, 200),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        for (const row of catalog.recordings.after(0, 100)) catalog.recordings.remove(row.id);
        for (const key of keys()) archive.removed(key);
        for (const { kind: what, name, bytes } of steps) {
          const row = catalog.recordings.after(0, 100).find((each) => each.name === name);
          if (what === "enter")
            catalog.recordings.enter(entryOf(name, { wav: { bytes, sha256: String(bytes % 7).repeat(64) } }));
          else if (row === undefined) continue;
          else if (what === "remove") catalog.recordings.remove(row.id);
          else if (what === "archived")
            due().forEach((item) => item.recording === name && archive.archived(item));
          else archive.recordings.setLocal(row.id, what === "localize");
        }
        const rows = catalog.recordings.after(0, 100);
        const there = rows.filter((row) => row.archive !== undefined);
        const evicted = there.filter((row) => row.archive!.isLocal === false);
        expect(archive.totals().recordings).toEqual({
          queued: rows.length - there.length,
          queuedBytes: sum(rows) - sum(there),
          archived: there.length,
          archivedBytes: sum(there),
          evicted: evicted.length,
          evictedBytes: sum(evicted),
        });
        const all = [...keys(), ...due().map(({ key }) => key), ...there.map((row) => row.archive!.key)];
        expect(new Set(all).size).toBe(all.length);
      }),
      { numRuns: 20 },
    );
  });
});

const sum = (rows: { wav: { bytes: number } }[]) => rows.reduce((bytes, { wav }) => bytes + wav.bytes, 0);

test.skipIf(postgresPrograms === undefined)(
  "each node of a catalog has the items of its own recordings",
  () => {
    using shared = postgresKind.create();
    const [a, b] = ["a", "b"].map((node) => shared.open({ node }));
    a!.archive.use(address);
    b!.archive.use(address);
    const id = a!.recordings.enter(entryOf("one"));
    expect([a!.archive.due(0, 9, []).length, b!.archive.due(0, 9, []).length]).toEqual([1, 0]);
    expect(b!.recordings.find(id)).toMatchObject({ otherNode: "a" });
    a!.archive.archived(a!.archive.due(0, 9, [])[0]!);
    expect(b!.recordings.find(id)).toMatchObject({ otherNode: "a", archive: { isLocal: true } });
    expect(b!.archive.recordings.setLocal(id, false)).toBe(false);
    expect(b!.archive.recordings.evictable({ usedAt: -1, id: -1 }, 9)).toEqual([]);
    expect(b!.archive.findAnywhere("a".repeat(64))).toMatchObject({ isForeign: true, isLocal: false });
    a!.close();
    b!.close();
  },
);
