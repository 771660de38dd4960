/**
 * How fast small streams become durable, alone and in groups that share their syncs, and how fast the catalog finds a
 * stream. A commit's time includes the writing of its files and is mostly that of the disk, so a bare write and fdatasync
 * of the same bytes runs beside it.
 *
 *     bun bench/micro/store.ts [--quick]
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { KiB } from "../../src/base/limits/units.ts";
import { type CommitItem, commitGroup } from "../../src/store/streams/commit.ts";
import { Journal } from "../../src/store/journal/journal.ts";
import { CacheLayout } from "../../src/store/layout.ts";
import { SqliteCatalog } from "../../src/store/streams/sqlite/catalog.ts";
import { temporaryFolder } from "../../src/testing/fixtures/temporary-folder.ts";
import { type Case, compare, millions, quick } from "./measure.ts";

const streamBytes = 4 * KiB;
const groups = quick ? [1, 2] : [1, 16, 128];
const knownStreams = quick ? 10 : 100_000;
const findsAtOnce = quick ? 10 : 1000;

using folder = temporaryFolder();
const layout = new CacheLayout(folder.path);
layout.create();
const catalog = new SqliteCatalog(layout.catalog);
const journal = new Journal(layout.journal);
const audio = Buffer.alloc(streamBytes);
let serial = 0;

/** An upload as a writer thread leaves it. Its content is unique, so that it becomes a separate object. */
function uploaded(): CommitItem {
  serial += 1;
  audio.writeUInt32LE(serial, 0);
  const streamId = `commit-${serial}`;
  fs.writeFileSync(layout.incomingPath(streamId), audio);
  catalog.reserve(streamId, streamId, serial);
  const sha256 = new Bun.CryptoHasher("sha256").update(audio).digest("hex");
  return { streamId, key: streamId, size: streamBytes, sha256, format: null };
}

async function commit(group: number): Promise<number> {
  const items = catalog.transaction(() => Array.from({ length: group }, uploaded), false);
  const outcomes = await commitGroup({ layout, catalog, journal }, items, serial);
  if (outcomes.some((outcome) => "error" in outcome)) throw new Error("a commit failed");
  return group;
}

function bareSync(): number {
  const descriptor = fs.openSync(join(folder.path, "bare"), "w");
  fs.writeSync(descriptor, audio);
  fs.fdatasyncSync(descriptor);
  fs.closeSync(descriptor);
  return 1;
}

function fillCatalog(): void {
  catalog.transaction(() => {
    for (let index = 0; index < knownStreams; index += 1) catalog.reserve(`known-${index}`, "key", index);
  }, false);
}

/** Finds streams all over the catalog, in an order without locality. */
function find(): number {
  for (let finds = 0; finds < findsAtOnce; finds += 1) {
    const index = Math.floor(Math.random() * knownStreams);
    if (catalog.find(`known-${index}`) === undefined) throw new Error("a stream was not found");
  }
  return findsAtOnce;
}

const perSecond = (what: string) => (rate: number) => `${rate.toFixed(0).padStart(8)} ${what}/s`;

fillCatalog();
try {
  await compare("STORE", [
    ...groups.map((group): Case => ({
      name: `commit streams of ${streamBytes / KiB} KiB, ${group} at a time`,
      run: () => commit(group),
      show: perSecond("streams"),
    })),
    { name: "a bare write and fdatasync of as much", run: bareSync, show: perSecond("files") },
    { name: `find a stream among ${knownStreams}`, run: find, show: millions("finds") },
  ]);
} finally {
  catalog.close();
}
