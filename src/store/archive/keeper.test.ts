import { afterEach, beforeEach, expect, test } from "bun:test";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { CacheLayout } from "../layout.ts";
import { noMetadata } from "../streams/metadata.ts";
import { SqliteCatalog } from "../streams/sqlite/catalog.ts";
import { ArchiveKeeper } from "./keeper.ts";

let folder: ReturnType<typeof temporaryFolder>;
let catalog: SqliteCatalog;
let keeper: ArchiveKeeper;
let journalled: number;

beforeEach(() => {
  folder = temporaryFolder();
  catalog = new SqliteCatalog(":memory:");
  catalog.archive.use("s3://bucket/@aws");
  journalled = 0;
  const journal = { append: () => void (journalled += 1) };
  keeper = new ArchiveKeeper({ layout: new CacheLayout(folder.path), catalog, journal });
});

afterEach(() => {
  catalog.close();
  folder[Symbol.dispose]();
});

test("an object that came to the archive after its item and its removal leaves it again", () => {
  const sha256 = "a".repeat(64);
  const facts = { streamId: "x", key: "k", size: 100, sha256, format: null };
  catalog.enter({ ...facts, metadata: noMetadata, audio: null, createdAt: 1, finishedAt: 1 });
  const item = catalog.archive.find(sha256)!;
  catalog.remove("x");
  const [removal] = catalog.archive.removals(0, 10, []);
  expect(removal!.key).toBe(item.key);
  // As another node does while the object is on its way.
  catalog.archive.removed(item.key);
  expect(keeper.calls.archived({ item })).toBe(false);
  expect(catalog.archive.removals(0, 10, [])).toMatchObject([{ key: item.key, size: 100 }]);
  expect(journalled).toBe(0);
});

test("an object whose put has failed is due again after its delay, which need not be whole", () => {
  const sha256 = "b".repeat(64);
  const facts = { streamId: "y", key: "k", size: 100, sha256, format: null };
  catalog.enter({ ...facts, metadata: noMetadata, audio: null, createdAt: 1, finishedAt: 1 });
  const item = catalog.archive.find(sha256)!;
  keeper.calls.archiveFailed({ item, retryMs: 60_000.25 });
  const now = catalog.runningMs();
  expect(catalog.archive.due(now + 50_000, 10, [])).toEqual([]);
  expect(catalog.archive.due(now + 70_000, 10, [])).toMatchObject([{ key: item.key, failures: 1 }]);
});
