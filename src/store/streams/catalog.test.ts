import { Database } from "bun:sqlite";
import { afterEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { join } from "node:path";
import { catalogKinds } from "../../testing/harness/catalogs.ts";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import type { Catalog, ListQuery, SealedStream, StreamRow, Totals } from "./catalog.ts";
import { noMetadata } from "./metadata.ts";
import { migrations } from "./sqlite/schema.ts";
import type { SqlCatalog } from "./sql/catalog.ts";
import { SqliteCatalog } from "./sqlite/catalog.ts";

const open: Disposable[] = [];
afterEach(() => {
  for (const each of open.splice(0).toReversed()) each[Symbol.dispose]();
});

/** The monotonic clock of the catalogs. */
let nowMs = 0;

function openCatalog(path: string): Catalog {
  const catalog = new SqliteCatalog(path, () => nowMs);
  open.push({ [Symbol.dispose]: () => catalog.close() });
  return catalog;
}

function folder(): string {
  const made = temporaryFolder();
  open.push(made);
  return made.path;
}

const everything: ListQuery = { state: undefined, after: "", limit: 1000 };
const a64 = "a".repeat(64);
const b64 = "b".repeat(64);

function sealed(streamId: string, sha256: string, size = 10): SealedStream {
  return { streamId, size, sha256, format: "audio/wav" };
}

function finish(catalog: Catalog, streamId: string, sha256: string, size = 10): void {
  catalog.reserve(streamId, `key-${streamId}`, 1);
  catalog.seal(sealed(streamId, sha256, size), 2);
  catalog.finish(streamId, 3);
}

/** The contract suite of `Catalog`. */
describe.each(catalogKinds)("a catalog $name", ({ create }) => {
  const make = (): Catalog => {
    const place = create();
    const catalog = place.open({ monotonicMs: () => nowMs });
    open.push(place, { [Symbol.dispose]: () => catalog.close() });
    return catalog;
  };

  test("takes any text, in look-ups and in tags", () => {
    const catalog = make();
    const odd = "a\u0000b\ud800c\\ud800";
    expect([catalog.find(odd), catalog.findNamed(odd)]).toEqual([undefined, undefined]);
    expect(catalog.list({ ...everything, after: odd })).toEqual([]);
    catalog.reserve("x", "k", 1, { ...noMetadata, tags: { name: "n\ud800", [odd]: odd } });
    const well = odd.toWellFormed();
    expect(catalog.find("x")!.metadata.tags).toEqual({ name: "n\ufffd", [well]: well });
    expect(catalog.findNamed("n\ufffd")?.streamId).toBe("x");
  });

  test("counts what the streams of each account have, through every change of a stream", () => {
    const catalog = make();
    const stored = (...except: string[]) => catalog.accounts.storedBytes("a", except);
    expect(stored()).toBe(0);
    catalog.reserve("x", "k", 1);
    catalog.accounts.set("x", "a");
    catalog.touch("x", 30, 2);
    expect([stored(), stored("x"), stored("x", "other")]).toEqual([30, 0, 0]);
    catalog.seal(sealed("x", a64, 40), 3);
    catalog.finish("x", 4);
    expect([stored(), catalog.find("x")!.account]).toEqual([40, "a"]);
    finish(catalog, "shared", a64, 40);
    expect(stored()).toBe(40);
    catalog.accounts.set("shared", "a");
    expect([stored(), stored("x")]).toEqual([80, 40]);
    catalog.accounts.set("shared", "b");
    expect([stored(), catalog.accounts.storedBytes("b", [])]).toEqual([40, 40]);
    catalog.remove("x");
    expect(stored()).toBe(0);
    catalog.accounts.set("shared", null);
    expect(catalog.accounts.storedBytes("b", [])).toBe(0);
  });

  test("removes finished streams together: those that are still the same, pinned ones only by request", () => {
    const catalog = make();
    for (const streamId of ["x", "y", "z", "other"]) finish(catalog, streamId, a64);
    catalog.reserve("begun", "key-begun", 1);
    (catalog as SqlCatalog).retention.pinStream("z", true);
    const refs = ["x", "y", "z", "begun"].map((streamId) => ({ streamId, key: `key-${streamId}` }));
    const all = [...refs, { streamId: "other", key: "an-earlier-key" }];
    expect(catalog.removeFinished(all, false).toSorted()).toEqual(["x", "y"]);
    expect(catalog.totals()).toMatchObject({ finished: 2, unfinished: 1, objects: 1 });
    expect(catalog.removeFinished(all, true)).toEqual(["z"]);
    expect(catalog.find("other")).toBeDefined();
  });

  test("keeps the declared size of an unfinished stream, beside its other metadata", () => {
    const catalog = make();
    const tags = { name: "a.wav" };
    catalog.reserve("x", "k", 1, { ...noMetadata, tags, declaredSize: 5 });
    catalog.reserve("bare", "b", 1);
    expect(catalog.find("x")!.metadata).toEqual({ ...noMetadata, tags, declaredSize: 5 });
    catalog.declareSize("x", 7);
    catalog.declareSize("bare", 2 ** 40);
    expect(catalog.find("x")!.metadata).toEqual({ ...noMetadata, tags, declaredSize: 7 });
    expect(catalog.find("bare")!.metadata).toEqual({ ...noMetadata, declaredSize: 2 ** 40 });
    catalog.declareSize("x", undefined);
    catalog.declareSize("bare", undefined);
    expect(catalog.find("x")!.metadata).toEqual({ ...noMetadata, tags });
    expect(catalog.find("bare")!.metadata).toEqual(noMetadata);
    finish(catalog, "done", a64);
    catalog.declareSize("done", 7);
    expect(catalog.find("done")!.metadata).toEqual(noMetadata);
  });

  test("reserves an id once", () => {
    const catalog = make();
    expect(catalog.reserve("x", "k1", 1)).toBe(true);
    expect(catalog.reserve("x", "k2", 2)).toBe(false);
    expect(catalog.find("x")).toMatchObject({
      state: "unfinished",
      key: "k1",
      size: 0,
      sha256: null,
      createdAt: 1,
    });
    expect(catalog.find("X")).toBeUndefined();
  });

  test("moves a stream from unfinished to sealed to finished, and in no other order", () => {
    const catalog = make();
    catalog.reserve("x", "k", 1);
    catalog.finish("x", 2);
    expect(catalog.find("x")!.state).toBe("unfinished");
    catalog.seal(sealed("x", a64), 2);
    expect(catalog.find("x")).toMatchObject({ state: "sealed", sha256: a64, size: 10, finishedAt: null });
    catalog.seal(sealed("x", b64), 3);
    expect(catalog.find("x")!.sha256).toBe(a64);
    catalog.finish("x", 4);
    expect(catalog.find("x")).toMatchObject({ state: "finished", format: "audio/wav", finishedAt: 4 });
    catalog.touch("x", 99, 5);
    catalog.unseal("x", 99, 5);
    expect(catalog.find("x")).toMatchObject({ state: "finished", size: 10, updatedAt: 4 });
  });

  test("tracks the durable bytes of an unfinished stream", () => {
    const catalog = make();
    catalog.reserve("x", "k", 1);
    expect(catalog.find("x")).toMatchObject({ size: 0, durableBytes: 0 });
    catalog.touch("x", 9, 3);
    catalog.markDurable("x", "k", 6);
    catalog.markDurable("x", "k", 5);
    catalog.markDurable("x", "of another upload", 8);
    expect(catalog.find("x")).toMatchObject({ size: 9, durableBytes: 6, updatedAt: 3 });
    catalog.touch("x", 4, 3);
    expect(catalog.find("x")).toMatchObject({ size: 4, durableBytes: 4 });
    catalog.seal(sealed("x", a64), 4);
    expect(catalog.find("x")).toMatchObject({ size: 10, durableBytes: 10 });
    catalog.unseal("x", 3, 5);
    expect(catalog.find("x")).toMatchObject({ size: 3, durableBytes: 3 });
    catalog.seal(sealed("x", a64), 6);
    catalog.finish("x", 7);
    catalog.markDurable("x", "k", 30);
    expect(catalog.find("x")).toMatchObject({ state: "finished", durableBytes: 10, updatedAt: 7 });
  });

  test("tells which rows are in step with their files, and what counts for the others", () => {
    const catalog = make();
    const trust = (id: string) => catalog.trustIn(catalog.find(id)!);
    catalog.startRun({ id: "first", startedAt: 1 });
    catalog.reserve("x", "k", 1);
    catalog.reserve("settled", "k2", 1);
    expect(trust("x")).toBe("row");
    catalog.startRun({ id: "first", startedAt: 1 });
    expect(trust("x")).toBe("file");
    expect(catalog.unsettled("", 10).map((row) => row.streamId)).toEqual(["settled", "x"]);
    expect(catalog.unsettled("settled", 10).map((row) => row.streamId)).toEqual(["x"]);
    expect(catalog.unsettled("", 1)).toHaveLength(1);
    catalog.settle("settled", 7);
    expect(catalog.find("settled")!.size).toBe(7);
    expect(trust("settled")).toBe("row");
    catalog.startRun({ id: "second", startedAt: 1_000_000 });
    expect([trust("x"), trust("settled")]).toEqual(["durable bytes", "durable bytes"]);
    catalog.settle("x", 0);
    expect(trust("x")).toBe("row");
  });

  test("an upload whose sync failed is neither durable nor sealed before it is settled", () => {
    const catalog = make();
    catalog.startRun({ id: "first", startedAt: 1 });
    catalog.reserve("x", "k", 1);
    catalog.touch("x", 9, 1);
    catalog.markDurable("x", "k", 4);
    catalog.distrust("x", "of another upload");
    expect(catalog.trustIn(catalog.find("x")!)).toBe("row");
    catalog.distrust("x", "k");
    expect(catalog.trustIn(catalog.find("x")!)).toBe("durable bytes");
    catalog.markDurable("x", "k", 9);
    expect(catalog.seal(sealed("x", a64), 2)).toBe(false);
    expect(catalog.find("x")).toMatchObject({ state: "unfinished", durableBytes: 4 });
    catalog.settle("x", 4);
    expect(catalog.seal(sealed("x", a64), 2)).toBe(true);
  });

  test("knows the sealed streams, and the files of all that are not finished", () => {
    const catalog = make();
    catalog.reserve("x", "kx", 1);
    catalog.reserve("y", "ky", 1);
    catalog.seal(sealed("y", a64), 2);
    finish(catalog, "z", b64);
    expect(catalog.sealed().map((row) => row.streamId)).toEqual(["y"]);
    expect(["kx", "ky", "key-z", "none"].map((key) => catalog.hasKey(key))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  test("pages through the objects of a folder, a row for each stream", () => {
    const catalog = make();
    finish(catalog, "one", a64);
    finish(catalog, "two", a64);
    finish(catalog, "other", b64);
    const ab64 = `ab${"0".repeat(62)}`;
    finish(catalog, "three", ab64, 5);
    catalog.reserve("sealed", "k", 1);
    catalog.seal(sealed("sealed", a64), 2);
    const ids: string[] = [];
    let page = catalog.objects("aa", undefined, 2);
    while (page.length > 0) {
      ids.push(...page.map((row) => row.streamId));
      page = catalog.objects("aa", page.at(-1), 2);
    }
    expect(ids).toEqual(["one", "sealed", "two"]);
    expect(catalog.objects("ab", undefined, 9)).toEqual([
      { streamId: "three", sha256: ab64, state: "finished", size: 5 },
    ]);
  });

  test("stores facts by name", () => {
    const catalog = make();
    expect(catalog.meta("a")).toBeUndefined();
    catalog.setMeta("a", "1");
    catalog.setMeta("a", "2");
    expect(catalog.meta("a")).toBe("2");
    catalog.setMeta("a", undefined);
    expect(catalog.meta("a")).toBeUndefined();
  });

  test("makes a sealed stream unfinished again", () => {
    const catalog = make();
    catalog.reserve("x", "k", 1);
    catalog.seal(sealed("x", a64), 2);
    catalog.unseal("x", 7, 3);
    expect(catalog.find("x")).toMatchObject({ state: "unfinished", size: 7, sha256: null });
  });

  test("lists by id in pages, all streams or those of one state", () => {
    const catalog = make();
    for (const id of ["c", "a", "B", "d-1", "d.1"]) finish(catalog, id, a64);
    catalog.reserve("unfinished", "k", 1);
    catalog.reserve("sealed", "k", 1);
    catalog.seal(sealed("sealed", b64), 2);
    const ids = (state: "finished" | "unfinished" | undefined, after: string, limit: number) =>
      catalog.list({ state, after, limit }).map((row) => row.streamId);
    expect(ids(undefined, "", 100)).toEqual(["B", "a", "c", "d-1", "d.1", "sealed", "unfinished"]);
    expect(ids("finished", "a", 2)).toEqual(["c", "d-1"]);
    expect(ids("unfinished", "", 100)).toEqual(["sealed", "unfinished"]);
  });

  test("finds several streams at once, in the order in which they are named", () => {
    const catalog = make();
    for (const id of ["a", "b", "c"]) catalog.reserve(id, id, 1);
    const found = catalog.findAll(["c", "no such", "a"]);
    expect(found.map(({ streamId }) => streamId)).toEqual(["c", "a"]);
    expect(found[0]).toEqual(catalog.find("c")!);
    expect(catalog.findAll([])).toEqual([]);
  });

  test("finds the only stream of a name, by all of it or by what follows its last slash", () => {
    const catalog = make();
    const add = (id: string, name: string) => catalog.reserve(id, id, 1, { ...noMetadata, tags: { name } });
    add("one", "live/cd 1/Été.wav");
    add("two", "one/track01.wav");
    add("three", "two/track01.wav");
    add("four", "plain.wav");
    const long = `${"n".repeat(3_000)}-`;
    add("five", `${long}5.wav`);
    add("six", `${long}6.wav`);
    catalog.reserve("unnamed", "k", 1, { ...noMetadata, tags: { title: "plain.wav" } });
    const idOf = (name: string) => catalog.findNamed(name)?.streamId;
    expect(idOf("Été.wav")).toBe("one");
    expect(idOf("live/cd 1/Été.wav")).toBe("one");
    expect(idOf("cd 1/Été.wav")).toBeUndefined();
    expect(idOf("track01.wav")).toBeUndefined();
    expect(idOf("two/track01.wav")).toBe("three");
    expect(idOf("plain.wav")).toBe("four");
    expect(idOf("")).toBeUndefined();
    expect([idOf(`${long}5.wav`), idOf(`${long}6.wav`), idOf(long)]).toEqual(["five", "six", undefined]);
    catalog.remove("two");
    expect(idOf("track01.wav")).toBe("three");
  });

  test("counts a shared object once, and knows whether other streams have it", () => {
    const catalog = make();
    finish(catalog, "one", a64, 100);
    finish(catalog, "two", a64, 100);
    finish(catalog, "three", b64, 5);
    catalog.reserve("four", "k", 1);
    catalog.touch("four", 7, 1);
    const totals = { finished: 3, unfinished: 1, unfinishedBytes: 7, objects: 2, objectBytes: 105 };
    expect(catalog.totals()).toEqual(totals);
    expect(catalog.hasObject(a64, "one")).toBe(true);
    expect(catalog.hasObject(b64, "three")).toBe(false);
    catalog.remove("two");
    expect(catalog.hasObject(a64, "one")).toBe(false);
    expect(catalog.totals().objectBytes).toBe(105);
  });

  test("finds the unfinished streams that are idle, by running time and not by the wall clock", () => {
    const catalog = make();
    const idle = (ms: number, limit = 10) => catalog.idleFor(ms, limit).map((row) => row.streamId);
    const twoDaysMs = 2 * 24 * 3_600_000;
    catalog.reserve("old", "k", Date.now() - twoDaysMs);
    catalog.reserve("touched", "k", Date.now() - twoDaysMs);
    finish(catalog, "finished", a64);
    nowMs += 1000;
    catalog.touch("touched", 5, Date.now() + twoDaysMs);
    nowMs += 500;
    expect(idle(1500)).toEqual(["old"]);
    expect(idle(500)).toEqual(["old", "touched"]);
    expect(idle(500, 1)).toEqual(["old"]);
    expect(idle(1501)).toEqual([]);
  });

  test("keeps its totals through every change of a stream", () => {
    const catalog = make();
    fc.assert(
      fc.property(fc.array(changes, { maxLength: 60 }), (list) => {
        for (const { streamId } of catalog.list(everything)) catalog.remove(streamId);
        for (const change of list) apply(catalog, change);
        expect(catalog.totals()).toEqual(countOf(catalog.list(everything)));
      }),
      { numRuns: 50 },
    );
  });

  test("marks the finished streams of an object as damaged and as whole, and lists objects for the scrub", () => {
    const catalog = make();
    finish(catalog, "one", a64, 100);
    finish(catalog, "two", a64, 100);
    finish(catalog, "three", b64, 5);
    finish(catalog, "empty", "0".repeat(64), 0);
    catalog.reserve("sealed", "k", 1);
    catalog.seal(sealed("sealed", "c".repeat(64)), 2);
    expect(catalog.markDamaged(a64, true).toSorted()).toEqual(["one", "two"]);
    expect(catalog.markDamaged(a64, true)).toEqual([]);
    expect(catalog.countDamaged()).toBe(2);
    expect([catalog.find("two")!.isDamaged, catalog.find("three")!.isDamaged]).toEqual([true, false]);
    expect(catalog.nextObjects("", 10)).toEqual([
      { sha256: a64, size: 100, isDamaged: true },
      { sha256: b64, size: 5, isDamaged: false },
    ]);
    expect(catalog.nextObjects("", 1)).toHaveLength(1);
    expect(catalog.nextObjects(a64, 10)).toMatchObject([{ sha256: b64 }]);
    catalog.remove("one");
    expect(catalog.countDamaged()).toBe(1);
    expect(catalog.markDamaged(a64, false)).toEqual(["two"]);
    expect([catalog.countDamaged(), catalog.find("two")!.isDamaged]).toEqual([0, false]);
  });

  test("rolls back a transaction that throws", () => {
    const catalog = make();
    const change = () => {
      catalog.reserve("x", "k", 1);
      throw new Error("no");
    };
    expect(() => catalog.transaction(change, true)).toThrow("no");
    expect(catalog.find("x")).toBeUndefined();
    catalog.transaction(() => catalog.reserve("y", "k", 1), false);
    expect(catalog.find("y")).toBeDefined();
  });
});

/** Changes of a few streams, which share a few objects. An object always has the same size. */
const changes = fc.record({
  verb: fc.constantFrom("reserve", "touch", "seal", "unseal", "finish", "remove", "settle"),
  id: fc.constantFrom("a", "b", "c", "d"),
  size: fc.constantFrom(0, 1, 20),
});

function apply(catalog: Catalog, { verb, id, size }: { verb: string; id: string; size: number }): void {
  if (verb === "reserve") catalog.reserve(id, id, 1);
  if (verb === "touch") catalog.touch(id, size, 1);
  if (verb === "seal") catalog.seal(sealed(id, String(size).padStart(64, "0"), size), 1);
  if (verb === "unseal") catalog.unseal(id, size, 1);
  if (verb === "finish") catalog.finish(id, 1);
  if (verb === "remove") catalog.remove(id);
  if (verb === "settle") catalog.settle(id, size);
}

function countOf(rows: StreamRow[]): Totals {
  const finished = rows.filter((row) => row.state === "finished");
  const unfinished = rows.filter((row) => row.state !== "finished");
  const objects = new Map(finished.filter(({ size }) => size > 0).map(({ sha256, size }) => [sha256, size]));
  return {
    finished: finished.length,
    unfinished: unfinished.length,
    unfinishedBytes: unfinished.reduce((sum, { size }) => sum + size, 0),
    objects: objects.size,
    objectBytes: [...objects.values()].reduce((sum, size) => sum + size, 0),
  };
}

describe("a catalog file", () => {
  test("keeps its running time, and does not count the time in which it was closed", () => {
    const path = join(folder(), "catalog.db");
    const first = new SqliteCatalog(path, () => nowMs);
    nowMs += 5000;
    first.close();
    nowMs += 1_000_000;
    const second = openCatalog(path);
    nowMs += 7;
    expect(second.runningMs()).toBe(5007);
  });

  test("of an older version gets its totals, and its uploads their whole time to live", () => {
    const path = join(folder(), "catalog.db");
    const old = new Database(path, { create: true });
    for (const migration of migrations.slice(0, 5)) old.run(migration);
    old.run("PRAGMA user_version = 5");
    const insert = "INSERT INTO streams (id, state, key, size, sha256, created_at, updated_at) VALUES";
    old.run(
      `${insert} ('a', 2, 'ka', 4, 's', 1, 1), ('b', 2, 'kb', 4, 's', 1, 1), ('c', 0, 'kc', 9, NULL, 1, 1)`,
    );
    old.close();
    const catalog = openCatalog(path);
    expect(catalog.isNew).toBe(false);
    const totals = { finished: 2, unfinished: 1, unfinishedBytes: 9, objects: 1, objectBytes: 4 };
    expect(catalog.totals()).toEqual(totals);
    expect(catalog.idleFor(1000, 10)).toEqual([]);
    nowMs += 1000;
    expect(catalog.idleFor(1000, 10).map((row) => row.streamId)).toEqual(["c"]);
  });

  test("keeps its rows when it is reopened", () => {
    const path = join(folder(), "catalog.db");
    const first = new SqliteCatalog(path);
    finish(first, "x", a64);
    first.close();
    const second = openCatalog(path);
    expect(second.isNew).toBe(false);
    expect(second.find("x")).toMatchObject({ state: "finished", sha256: a64 });
  });

  test("cannot be opened twice at once, and the error says why", () => {
    const path = join(folder(), "catalog.db");
    openCatalog(path);
    expect(() => new SqliteCatalog(path)).toThrow("in use by another server");
  });

  test("of a newer version is rejected", () => {
    const path = join(folder(), "catalog.db");
    const newer = new Database(path, { create: true });
    newer.run("PRAGMA user_version = 99");
    newer.close();
    expect(() => new SqliteCatalog(path)).toThrow("newer version");
  });
});
