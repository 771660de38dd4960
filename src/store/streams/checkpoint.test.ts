import { afterEach, beforeEach, expect, test } from "bun:test";
import * as fs from "node:fs";
import { errorCodes } from "../../base/errors.ts";
import { maxFilesSyncedSingly } from "../../base/limits/streams.ts";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { checkpointGroup, type CheckpointItem } from "./checkpoint.ts";
import { CacheLayout } from "../layout.ts";
import { SqliteCatalog } from "./sqlite/catalog.ts";

let folder: ReturnType<typeof temporaryFolder>;
let layout: CacheLayout;
let catalog: SqliteCatalog;
let wholeSyncs: string[];
beforeEach(() => {
  folder = temporaryFolder();
  layout = new CacheLayout(folder.path);
  layout.create();
  catalog = new SqliteCatalog(layout.catalog);
  wholeSyncs = [];
});
afterEach(() => {
  catalog.close();
  folder[Symbol.dispose]();
});

function add(streamId: string): CheckpointItem {
  catalog.reserve(streamId, `key-${streamId}`, 1);
  fs.writeFileSync(layout.incomingPath(`key-${streamId}`), "abc");
  return { streamId, key: `key-${streamId}`, size: 3 };
}

const checkpoint = (items: CheckpointItem[], canSyncWhole: boolean) =>
  checkpointGroup(
    layout,
    catalog,
    async (path) => {
      wholeSyncs.push(path);
      return canSyncWhole;
    },
    items,
    2,
  );

test("a few files are synced one by one, and the catalog records the size of each", async () => {
  const items = [add("a"), add("b")];
  expect(await checkpoint(items, true)).toEqual([null, null]);
  expect(wholeSyncs).toEqual([]);
  expect(catalog.find("b")).toMatchObject({ size: 3, updatedAt: 2 });
});

test("many files are synced with their file system, or one by one where that is not possible", async () => {
  const items = Array.from({ length: maxFilesSyncedSingly + 1 }, (_, index) => add(`s${index}`));
  for (const canSyncWhole of [true, false]) {
    expect(await checkpoint(items, canSyncWhole)).toEqual(items.map(() => null));
  }
  expect(wholeSyncs).toEqual([layout.incoming, layout.incoming]);
});

test("a missing file does not fail the others, and a file that cannot be synced fails alone", async () => {
  const [gone, bad, good] = [add("gone"), add("bad"), add("good")];
  fs.unlinkSync(layout.incomingPath(gone!.key));
  fs.unlinkSync(layout.incomingPath(bad!.key));
  // A folder cannot be opened for writing.
  fs.mkdirSync(layout.incomingPath(bad!.key));
  const outcomes = await checkpoint([gone!, bad!, good!], true);
  expect(outcomes[0]).toBeNull();
  expect(outcomes[1]).toMatchObject({ errorNumber: errorCodes.indexOf("STORE_FAILED") + 1 });
  expect(outcomes[2]).toBeNull();
  expect(catalog.find("bad")!.size).toBe(0);
});

test("a row keeps the metadata of its stream", () => {
  const metadata = {
    contentType: "audio/wav",
    format: { codec: "pcm_s16le", sampleRate: 8000, channels: 1 },
    tags: { a: "b" },
  };
  catalog.reserve("described", "k", 1, metadata);
  catalog.reserve("plain", "k2", 1);
  expect(catalog.find("described")!.metadata).toEqual(metadata);
  expect(catalog.find("plain")!.metadata.tags).toEqual({});
});
