import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type CatalogKind, type CatalogPlace, catalogKinds } from "../../../testing/harness/catalogs.ts";
import type { SqlCatalog } from "../../streams/sql/catalog.ts";
import { bytesOf, type PartCatalog, storedBytes, type UploadPart } from "./catalog.ts";

let place: CatalogPlace;
let catalog: SqlCatalog;
let parts: PartCatalog;

const shaOf = (content: string) => content.repeat(64);
const upload = (streamId = "s") => ({ streamId, key: `file-${streamId}` });
const ref = (tag: string) => ({ key: `uploads/${tag}`, uploadId: `id-${tag}` });
const part = (number: number, size = 16): UploadPart => ({
  number,
  size,
  etag: `e${number}`,
  crc32: "AAAAAA==",
  sums: `s${number}`,
});

/** The first part of a tag begins its upload in parts. */
function record(tag: string, number: number, streamId = "s"): boolean {
  if (number === 1 && !parts.begin(upload(streamId), ref(tag))) return false;
  return parts.record(upload(streamId), ref(tag), part(number));
}

/** As a commit does. */
function finish(content: string, streamId = "s", size = 40): void {
  catalog.seal({ streamId, size, sha256: shaOf(content), format: null }, 1);
  catalog.finish(streamId, 1);
}

const removals = () =>
  catalog.archive
    .removals(0, 100, [])
    .map(({ key, uploadId }) => (uploadId === null ? key : `${key} ${uploadId}`));
const numbers = (key: string) => parts.partsOf(key).map(({ number }) => number);

describe.each(catalogKinds)("parts of uploads $name", (kind: CatalogKind) => {
  beforeEach(() => {
    place = kind.create();
    catalog = place.open();
    ({ parts } = catalog);
    catalog.archive.use("s3://bucket/@aws");
    catalog.reserve("s", "file-s", 1);
  });

  afterEach(() => {
    catalog.close();
    place[Symbol.dispose]();
  });

  test("are known as they were recorded, and make no gap", () => {
    expect(parts.find("s")).toBeUndefined();
    expect([record("a", 1), record("a", 2)]).toEqual([true, true]);
    const stored = parts.find("s")!;
    expect(stored).toEqual({ ...ref("a"), parts: [part(1), part(2)], base: undefined });
    expect(storedBytes(stored)).toBe(32);
    expect(parts.uploads("", 10)).toEqual([{ streamId: "s", uploadId: "id-a" }]);
    expect(parts.uploads("s", 10)).toEqual([]);
  });

  test("of another upload of the stream, or of none, are not entered", () => {
    expect(parts.begin({ streamId: "s", key: "other" }, ref("a"))).toBe(false);
    expect(parts.record(upload(), ref("a"), part(1))).toBe(false);
    expect(parts.begin(upload(), ref("a"))).toBe(true);
    expect(parts.record({ streamId: "s", key: "other" }, ref("a"), part(1))).toBe(false);
    expect(parts.record(upload(), ref("b"), part(1))).toBe(false);
    expect(parts.begin(upload("none"), ref("a"))).toBe(false);
    expect(parts.find("s")).toEqual({ ...ref("a"), parts: [], base: undefined });
    expect(numbers("uploads/a")).toEqual([]);
  });

  test("go to the item of a new object, also one that was stored after the end", () => {
    record("a", 1);
    finish("x");
    const item = catalog.archive.find(shaOf("x"))!;
    expect(item).toMatchObject({ ...ref("a"), isArchived: false, isLocal: true, size: 40 });
    expect(parts.find("s")).toBeUndefined();
    expect(record("a", 2)).toBe(true);
    expect(numbers("uploads/a")).toEqual([1, 2]);
    expect(removals()).toEqual([]);
    catalog.archive.archived(item);
    expect(numbers("uploads/a")).toEqual([]);
    expect(record("a", 3)).toBe(false);
  });

  test("go to the item although none was stored before the end", () => {
    parts.begin(upload(), ref("a"));
    finish("x");
    expect(record("a", 2)).toBe(true);
    expect(catalog.archive.find(shaOf("x"))).toMatchObject(ref("a"));
    expect(numbers("uploads/a")).toEqual([2]);
  });

  test("are removed from the archive if the audio was known before", () => {
    catalog.reserve("before", "file-before", 1);
    finish("x", "before");
    const known = catalog.archive.find(shaOf("x"))!;
    record("a", 1);
    finish("x");
    expect(catalog.archive.find(shaOf("x"))).toEqual(known);
    expect(removals()).toEqual(["uploads/a id-a"]);
    expect(numbers("uploads/a")).toEqual([]);
  });

  test("are removed from the archive with their stream, unfinished or finished", () => {
    record("a", 1);
    catalog.remove("s");
    expect(removals()).toEqual(["uploads/a id-a"]);
    expect([numbers("uploads/a"), parts.find("s")]).toEqual([[], undefined]);
    catalog.reserve("s", "file-s", 1);
    record("b", 1);
    finish("x");
    catalog.remove("s");
    expect(removals()).toEqual(["uploads/a id-a", "uploads/b id-b"]);
    expect(numbers("uploads/b")).toEqual([]);
  });

  test("that the archive has forgotten begin again under another key", () => {
    record("a", 1);
    expect(parts.forget({ streamId: "s", key: "other" })).toBe(false);
    expect(parts.forget(upload())).toBe(true);
    expect(storedBytes(parts.find("s")!)).toBe(0);
    expect(removals()).toEqual(["uploads/a id-a"]);
    expect(record("b", 1)).toBe(true);
    expect(parts.find("s")).toEqual({ ...ref("b"), parts: [part(1)], base: undefined });
  });

  test("past the bytes of the file are forgotten", () => {
    for (const number of [1, 2, 3]) record("a", number);
    parts.trim("s", 40);
    expect(parts.find("s")!.parts).toEqual([part(1), part(2)]);
    parts.trim("s", 15);
    expect(storedBytes(parts.find("s")!)).toBe(0);
  });

  test("become a base, which goes once new parts reach as far", () => {
    for (const number of [1, 2, 3]) record("a", number);
    parts.rebase("s", "uploads/a", 2);
    const base = { key: "uploads/a", parts: [part(1), part(2)] };
    expect(parts.find("s")).toEqual({ key: "", uploadId: null, parts: [], base });
    expect(removals()).toEqual([]);
    record("b", 1);
    expect(parts.find("s")).toEqual({ ...ref("b"), parts: [part(1)], base });
    expect(storedBytes(parts.find("s")!)).toBe(32);
    record("b", 2);
    expect(parts.find("s")).toEqual({ ...ref("b"), parts: [part(1), part(2)], base: undefined });
    expect(removals()).toEqual(["uploads/a"]);
    expect(numbers("uploads/a")).toEqual([]);
  });

  test("of a base that is continued from again leave their upload in parts behind", () => {
    record("a", 1);
    record("a", 2);
    parts.rebase("s", "uploads/a", 2);
    record("b", 1);
    parts.rebase("s", "uploads/a", 2);
    expect(parts.find("s")).toMatchObject({ uploadId: null, parts: [], base: { key: "uploads/a" } });
    expect(removals()).toEqual(["uploads/b id-b"]);
    finish("x");
    expect(removals()).toEqual(["uploads/a", "uploads/b id-b"]);
    expect(catalog.archive.find(shaOf("x"))!.key).toStartWith("objects/");
  });

  test("leave nothing in the archive that the catalog does not know, whatever happens", () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constantFrom("reserve", "finish x", "finish y", "remove", "forget", "record"),
        id: fc.constantFrom("s", "t"),
      }),
      fc.record({
        kind: fc.constantFrom("rebase", "trim", "archived", "removed"),
        id: fc.constantFrom("s", "t"),
      }),
    );
    let tag = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        for (const id of ["s", "t"]) catalog.remove(id);
        for (const content of ["x", "y"])
          if (catalog.archive.find(shaOf(content))) throw new Error("an item stays");
        for (const removal of catalog.archive.removals(0, 100, [])) catalog.archive.removed(removal.key);
        /** Keys that the object store has something under. */
        const there = new Set<string>();
        for (const { kind, id } of steps) {
          const row = catalog.find(id);
          const stored = parts.find(id);
          if (kind === "reserve") catalog.reserve(id, `file-${id}`, 1);
          else if (kind === "remove") catalog.remove(id);
          else if (kind.startsWith("finish") && row?.state === "unfinished") finish(kind.at(-1)!, id);
          else if (kind === "forget") parts.forget(upload(id));
          else if (kind === "trim") parts.trim(id, 20);
          else if (kind === "rebase" && stored !== undefined && storedBytes(stored) > 0) {
            const isBase = stored.base !== undefined && bytesOf(stored.base.parts) >= bytesOf(stored.parts);
            parts.rebase(id, isBase ? stored.base!.key : stored.key, 1);
          } else if (kind === "record") {
            const known =
              stored?.uploadId == null
                ? ref(`${(tag += 1)}`)
                : { key: stored.key, uploadId: stored.uploadId };
            const isBegun = stored?.uploadId != null || parts.begin(upload(id), known);
            if (isBegun) there.add(known.key);
            parts.record(upload(id), known, part((stored?.parts.length ?? 0) + 1));
          } else if (kind === "archived") {
            for (const item of catalog.archive.due(1, 10, [])) catalog.archive.archived(item);
          } else if (kind === "removed") {
            for (const { key } of catalog.archive.removals(0, 100, [])) {
              catalog.archive.removed(key);
              there.delete(key);
            }
          }
        }
        const items = ["x", "y"].map((content) => catalog.archive.find(shaOf(content))?.key);
        const unfinished = ["s", "t"].map((id) => parts.find(id));
        const owners = [
          ...items,
          ...unfinished.flatMap((stored) => [
            stored?.uploadId == null ? undefined : stored.key,
            stored?.base?.key,
          ]),
          ...catalog.archive.removals(0, 100, []).map(({ key }) => key),
        ].filter((key) => key?.startsWith("uploads/"));
        // Nothing has two owners: the late removal of one would take what the other has.
        expect(new Set(owners).size).toBe(owners.length);
        expect([...there].filter((key) => !owners.includes(key))).toEqual([]);
      }),
      { numRuns: kind.name.includes("SQLite") ? 300 : 40 },
    );
  });
});
