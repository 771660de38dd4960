import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type CatalogKind, type CatalogPlace, catalogKinds } from "../../testing/harness/catalogs.ts";
import type { SqlCatalog } from "../streams/sql/catalog.ts";
import { noMetadata } from "../streams/metadata.ts";
import type { ArchiveCatalog, ArchiveItem } from "./catalog.ts";

const address = "s3://bucket/@aws";
let place: CatalogPlace;
let catalog: SqlCatalog;
let archive: ArchiveCatalog;
let clockMs: number;

function open(): void {
  clockMs = 0;
  catalog = place.open({ monotonicMs: () => clockMs });
  ({ archive } = catalog);
  archive.use(address);
}

const contents = ["a", "b", "c"];
const shaOf = (content: string) => content.repeat(64);
const sizeOf = (content: string) => (contents.indexOf(content) + 1) * 100;

/** As a commit does. */
function finish(streamId: string, content: string, at = 1): void {
  catalog.reserve(streamId, `key-${streamId}`, at);
  catalog.seal({ streamId, size: sizeOf(content), sha256: shaOf(content), format: null }, at);
  catalog.finish(streamId, at);
}

/** As an adoption, or the replay of the journal. */
function enter(streamId: string, content: string): void {
  const facts = {
    streamId,
    key: `key-${streamId}`,
    size: sizeOf(content),
    sha256: shaOf(content),
    format: null,
  };
  catalog.enter({ ...facts, metadata: noMetadata, audio: null, createdAt: 1, finishedAt: 1 });
}

const find = (content: string) => archive.find(shaOf(content));
const due = (limit = 100) => archive.due(clockMs, limit, []).map(({ sha256 }) => sha256[0]!);

const evictable = () => archive.evictable({ usedAt: -1, sha256: "" }, 10).map(({ sha256 }) => sha256[0]);

type Step =
  | { kind: "finish" | "enter"; id: string; content: string }
  | { kind: "remove"; id: string }
  | { kind: "archived" | "evict" | "localize" | "fail"; content: string }
  | { kind: "removed" };

const id = fc.constantFrom("s1", "s2", "s3", "s4");
const content = fc.constantFrom(...contents);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constantFrom("finish" as const, "enter" as const), id, content }),
  fc.record({ kind: fc.constant("remove" as const), id }),
  fc.record({
    kind: fc.constantFrom("archived" as const, "evict" as const, "localize" as const, "fail" as const),
    content,
  }),
  fc.record({ kind: fc.constant("removed" as const) }),
);

const sum = (items: ArchiveItem[]) => items.reduce((bytes, { size }) => bytes + size, 0);

function run(each: Step): void {
  if (each.kind === "finish") {
    if (catalog.find(each.id) === undefined) finish(each.id, each.content);
  } else if (each.kind === "enter") enter(each.id, each.content);
  else if (each.kind === "remove") catalog.remove(each.id);
  else if (each.kind === "removed") {
    for (const { key } of archive.removals(0, 1, [])) archive.removed(key);
  } else runOnItem(each.kind, find(each.content));
}

function runOnItem(kind: string, item: ArchiveItem | undefined): void {
  if (item === undefined) return;
  if (kind === "archived") archive.archived(item);
  else if (kind === "evict" && item.isArchived) archive.setLocal(item.sha256, false);
  else if (kind === "localize") archive.setLocal(item.sha256, true);
  else if (kind === "fail") archive.failed(item, clockMs);
}

describe.each(catalogKinds)("the archive $name", (kind: CatalogKind) => {
  beforeEach(() => {
    place = kind.create();
    open();
  });
  afterEach(() => {
    catalog.close();
    place[Symbol.dispose]();
  });

  describe("an item", () => {
    test("is queued with the finished stream, under a key of its own, and once for streams that share it", () => {
      finish("one", "a");
      finish("two", "a");
      enter("three", "b");
      expect(due()).toEqual(["a", "b"]);
      expect(find("a")).toMatchObject({
        size: 100,
        isArchived: false,
        isLocal: true,
        failures: 0,
        uploadId: null,
      });
      expect(find("a")!.key).toMatch(/^objects\/aa\/a{64}\.[0-9a-f]{8}$/);
      expect(archive.totals()).toMatchObject({
        queued: 2,
        queuedBytes: 300,
        archived: 0,
        removals: 0,
        oldestQueuedAt: 1,
      });
    });

    test("is none without an archive; the archive finds the streams of that time, page by page", () => {
      archive.use(undefined);
      for (const content of contents) finish(content, content);
      expect(due()).toEqual([]);
      archive.use(address);
      finish("late", "c");
      expect([archive.fill(2, 7), archive.fill(2, 7), archive.fill(2, 7)]).toEqual([true, true, false]);
      expect(due()).toEqual(["c", "a", "b"]);
    });

    test("that has failed is due again after its time, and comes before what is new then", () => {
      finish("one", "a");
      finish("two", "b");
      archive.failed(find("a")!, 50);
      expect([due(), find("a")!.failures]).toEqual([["b"], 1]);
      clockMs = 50;
      finish("three", "c", 2);
      expect(due()).toEqual(["a", "b", "c"]);
      expect(archive.due(clockMs, 10, [find("b")!.key]).map(({ sha256 }) => sha256[0])).toEqual(["a", "c"]);
    });

    test("that is archived can be evicted, and counts as local again with an upload of the same audio", () => {
      finish("one", "a");
      expect(archive.archived(find("a")!)).toBe(true);
      archive.setLocal(shaOf("a"), false);
      expect(catalog.find("one")!.isEvicted).toBe(true);
      expect(catalog.nextObjects("", 10)).toEqual([]);
      expect(archive.totals()).toMatchObject({
        archived: 1,
        archivedBytes: 100,
        evicted: 1,
        evictedBytes: 100,
      });
      enter("adopted", "a");
      expect(find("a")!.isLocal).toBe(false);
      finish("two", "a");
      expect([find("a")!.isLocal, find("a")!.isArchived, due()]).toEqual([true, true, []]);
    });

    test("of damaged audio is stored again once the audio is uploaded again", () => {
      finish("one", "a");
      archive.archived(find("a")!);
      archive.setLocal(shaOf("a"), false);
      catalog.markDamaged(shaOf("a"), true);
      finish("two", "a");
      expect(due()).toEqual(["a"]);
    });

    test("goes with the last stream and leaves its key; the next of the same audio has another key", () => {
      finish("one", "a");
      finish("two", "a");
      const { key } = find("a")!;
      catalog.remove("one");
      expect(find("a")!.key).toBe(key);
      catalog.remove("two");
      expect([find("a"), archive.removals(0, 10, []).map((each) => each.key)]).toEqual([undefined, [key]]);
      expect(archive.removals(0, 10, [key])).toEqual([]);
      finish("three", "a");
      expect(find("a")!.key).not.toBe(key);
      archive.archived({ sha256: shaOf("a"), key });
      expect(find("a")!.isArchived).toBe(false);
      archive.removed(key);
      expect(archive.totals().removals).toBe(0);
    });

    test("keeps the upload in parts that was begun, also for its removal", () => {
      finish("one", "a");
      archive.begun(find("a")!, "upload-1");
      expect(archive.uploads("", 10)).toEqual([{ key: find("a")!.key, uploadId: "upload-1" }]);
      catalog.remove("one");
      expect(archive.removals(0, 10, [])[0]!.uploadId).toBe("upload-1");
    });
  });

  describe("eviction", () => {
    test("finds archived local objects by their last use, with their streams", () => {
      for (const [index, content] of contents.entries()) finish(content, content, index + 1);
      expect(evictable()).toEqual([]);
      for (const content of contents) archive.archived(find(content)!);
      catalog.retention.noteReads("streams", [{ id: "a", at: 10 }]);
      expect(evictable()).toEqual(["b", "c", "a"]);
      const [first] = archive.evictable({ usedAt: -1, sha256: "" }, 1);
      expect(first).toMatchObject({ size: 200, streamIds: ["b"] });
      expect(archive.evictable(first!, 10).map(({ sha256 }) => sha256[0])).toEqual(["c", "a"]);
    });

    test("leaves objects of pinned streams here", () => {
      finish("one", "a");
      finish("two", "a");
      archive.archived(find("a")!);
      catalog.retention.pinStream("two", true);
      expect(evictable()).toEqual([]);
    });
  });

  describe("another archive", () => {
    test("is refused while some audio is in the old one alone, and else gets everything", () => {
      finish("one", "a");
      archive.archived(find("a")!);
      archive.setLocal(shaOf("a"), false);
      expect(archive.use("s3://other/@aws")).toBe(false);
      archive.setLocal(shaOf("a"), true);
      expect(archive.use("s3://other/@aws")).toBe(true);
      while (archive.fill(10, 5));
      expect([due(), find("a")!.isArchived]).toEqual([["a"], false]);
    });
  });

  test("through any history each object has one item, no key has two fates, and the totals are right", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        catalog.close();
        place[Symbol.dispose]();
        place = kind.create();
        open();
        for (const each of steps) run(each);
        const rows = catalog.list({ state: "finished", after: "", limit: 10 });
        const wanted = [...new Set(rows.map(({ sha256 }) => sha256))].toSorted();
        const items = archive.after("", 10);
        expect(items.map(({ sha256 }) => sha256)).toEqual(wanted as string[]);
        const removals = archive.removals(0, 1000, []);
        const keys = [...items, ...removals].map(({ key }) => key);
        expect(new Set(keys).size).toBe(keys.length);
        expect(items.every(({ isLocal, isArchived }) => isLocal || isArchived)).toBe(true);
        const [queued, archived, evicted] = [
          items.filter(({ isArchived }) => !isArchived),
          items.filter(({ isArchived }) => isArchived),
          items.filter(({ isLocal }) => !isLocal),
        ];
        expect(archive.totals()).toMatchObject({
          queued: queued.length,
          queuedBytes: sum(queued),
          archived: archived.length,
          archivedBytes: sum(archived),
          evicted: evicted.length,
          evictedBytes: sum(evicted),
          removals: removals.length,
        });
      }),
      { numRuns: 30 },
    );
  });
});
