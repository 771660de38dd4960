/** What removals do when the disk is full: the rest is tested with the keeper. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { WavecacheError } from "../../base/errors.ts";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { CacheLayout } from "../layout.ts";
import { StoreGuard } from "../store-guard.ts";
import { noMetadata } from "./metadata.ts";
import { Removals } from "./removals.ts";
import { SqliteCatalog } from "./sqlite/catalog.ts";

let folder: ReturnType<typeof temporaryFolder>;
let layout: CacheLayout;
let catalog: SqliteCatalog;

/** The first transactions fail, as the log of the catalog cannot grow. */
class FullDisk extends StoreGuard {
  failures = 0;

  override withBallast<T>(work: () => T): T {
    if (this.failures === 0) return work();
    this.failures -= 1;
    throw new WavecacheError("DISK_FULL");
  }
}

beforeEach(() => {
  folder = temporaryFolder();
  layout = new CacheLayout(join(folder.path, "cache"));
  layout.create();
  catalog = new SqliteCatalog(layout.catalog);
});

afterEach(() => {
  catalog.close();
  folder[Symbol.dispose]();
});

function enterStream(streamId: string, digit: string): void {
  const sha256 = digit.repeat(64);
  const path = layout.objectPath(sha256);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, "x");
  const finished = { format: null, createdAt: 1, finishedAt: 1, audio: null };
  catalog.enter({ streamId, key: `k-${streamId}`, metadata: noMetadata, size: 1, sha256, ...finished });
}

test("a full disk changes nothing about why streams expired", async () => {
  const guard = new FullDisk(layout, () => {});
  const removals = new Removals(layout, catalog, guard, () => {});
  enterStream("a", "a");
  enterStream("b", "b");
  // The group, and then the first stream alone.
  guard.failures = 2;
  const streams = ["a", "b"].map((streamId) => ({ streamId, key: `k-${streamId}` }));
  const { streamIds } = await removals.removeAll({ streams, reason: "limit", at: 5 });
  expect(streamIds).toEqual(["a", "b"]);
  expect(["a", "b"].some((digit) => existsSync(layout.objectPath(digit.repeat(64))))).toBe(false);
  const events = catalog.events.after(0, 10).map(({ type, subject, at, data }) => {
    return { type, subject, at, reason: (JSON.parse(data) as { reason: string }).reason };
  });
  expect(events).toEqual([
    { type: "stream.expired", subject: "streams/a", at: 5, reason: "limit" },
    { type: "stream.expired", subject: "streams/b", at: 5, reason: "limit" },
  ]);
});
