import { Database } from "bun:sqlite";
import { afterEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import type { Catalog, SealedStream } from "./catalog.ts";
import { SqliteCatalog } from "./sqlite.ts";

const open: Disposable[] = [];
afterEach(() => {
  for (const each of open.splice(0).toReversed()) each[Symbol.dispose]();
});

function openCatalog(path: string): Catalog {
  const catalog = new SqliteCatalog(path);
  open.push({ [Symbol.dispose]: () => catalog.close() });
  return catalog;
}

function folder(): string {
  const made = temporaryFolder();
  open.push(made);
  return made.path;
}

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
const kinds: [string, () => Catalog][] = [
  ["in a file", () => openCatalog(join(folder(), "catalog.db"))],
  ["in memory", () => openCatalog(":memory:")],
];

describe.each(kinds)("a catalog %s", (_name, make) => {
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

  test("stores one boot of the system, the last", () => {
    const catalog = make();
    expect(catalog.boot()).toBeUndefined();
    for (const boot of [
      { id: "a", startedAt: 1 },
      { id: null, startedAt: 2 },
    ]) {
      catalog.setBoot(boot);
      expect(catalog.boot()).toEqual(boot);
    }
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

  test("counts a shared object once, and knows whether other streams have it", () => {
    const catalog = make();
    finish(catalog, "one", a64, 100);
    finish(catalog, "two", a64, 100);
    finish(catalog, "three", b64, 5);
    catalog.reserve("four", "k", 1);
    expect(catalog.totals()).toEqual({ finished: 3, unfinished: 1, objects: 2, objectBytes: 105 });
    expect(catalog.hasObject(a64, "one")).toBe(true);
    expect(catalog.hasObject(b64, "three")).toBe(false);
    catalog.remove("two");
    expect(catalog.hasObject(a64, "one")).toBe(false);
    expect(catalog.totals().objectBytes).toBe(105);
  });

  test("finds the streams not updated since a time, except finished ones", () => {
    const catalog = make();
    catalog.reserve("old", "k", 10);
    catalog.reserve("touched", "k", 10);
    catalog.touch("touched", 5, 30);
    finish(catalog, "finished", a64);
    expect(catalog.untouchedSince(20).map((row) => row.streamId)).toEqual(["old"]);
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

describe("a catalog file", () => {
  test("keeps its rows when it is reopened", () => {
    const path = join(folder(), "catalog.db");
    const first = new SqliteCatalog(path);
    finish(first, "x", a64);
    first.close();
    expect(openCatalog(path).find("x")).toMatchObject({ state: "finished", sha256: a64 });
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
