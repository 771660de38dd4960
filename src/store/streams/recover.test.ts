import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { CacheLayout } from "../layout.ts";
import { recover } from "./recover.ts";
import { settle, type Settlement } from "./settle.ts";
import { SqliteCatalog } from "./sqlite/catalog.ts";

let folder: ReturnType<typeof temporaryFolder>;
let layout: CacheLayout;
let catalog: SqliteCatalog;

beforeEach(() => {
  folder = temporaryFolder();
  layout = new CacheLayout(folder.path);
  layout.create();
  catalog = new SqliteCatalog(layout.catalog);
  recover(layout, catalog, boot, 0);
});

afterEach(() => {
  catalog.close();
  folder[Symbol.dispose]();
});

const boot = { id: "first", startedAt: 1 };
const laterBoot = { id: "second", startedAt: 1 };

/** An upload as a writer thread leaves it: its file in incoming/, its row unfinished. */
function upload(streamId: string, text: string) {
  const key = `key-${streamId}`;
  fs.writeFileSync(layout.incomingPath(key), text);
  catalog.reserve(streamId, key, 1);
  const sha256 = new Bun.CryptoHasher("sha256").update(text).digest("hex");
  return { streamId, key, size: text.length, sha256, format: null };
}

const settleNow = (streamId: string): Settlement => settle(layout, catalog, catalog.find(streamId)!, 5);
const incoming = () => fs.readdirSync(layout.incoming);
const textOf = (key: string) => fs.readFileSync(layout.incomingPath(key), "utf8");

describe("a settled row", () => {
  test("of an interrupted upload has the size of its file", () => {
    upload("x", "12345");
    recover(layout, catalog, boot, 1);
    expect(settleNow("x")).toMatchObject({ cutBytes: 0, row: { state: "unfinished", size: 5 } });
    expect(catalog.totals()).toMatchObject({ unfinished: 1, unfinishedBytes: 5 });
  });

  test("has no more than its durable bytes after a reboot, and only then", () => {
    upload("x", "1234567");
    upload("never synced", "12");
    catalog.markDurable("x", "key-x", 4);
    recover(layout, catalog, boot, 1);
    expect(settleNow("x")).toMatchObject({ cutBytes: 0, row: { size: 7, durableBytes: 4 } });
    recover(layout, catalog, laterBoot, 4);
    expect(settleNow("x")).toMatchObject({ cutBytes: 3, row: { size: 4, durableBytes: 4 } });
    expect(settleNow("never synced")).toMatchObject({ cutBytes: 2, row: { size: 0 } });
    expect(textOf("key-x")).toBe("1234");
    // Bytes written after that boot survive a crash of the process again.
    fs.appendFileSync(layout.incomingPath("key-x"), "more");
    recover(layout, catalog, laterBoot, 5);
    expect(settleNow("x")).toMatchObject({ cutBytes: 0, row: { size: 8 } });
  });

  test("is truncated also if it was not used during the run after the reboot", () => {
    upload("x", "1234567");
    catalog.markDurable("x", "key-x", 4);
    recover(layout, catalog, laterBoot, 4);
    recover(layout, catalog, laterBoot, 5);
    expect(settleNow("x")).toMatchObject({ cutBytes: 3, row: { size: 4 } });
  });

  test("has no more than its durable bytes after a failed sync", () => {
    upload("x", "1234567");
    catalog.markDurable("x", "key-x", 4);
    catalog.distrust("x", "key-x");
    expect(settleNow("x")).toMatchObject({ cutBytes: 3, row: { size: 4 } });
    expect(textOf("key-x")).toBe("1234");
    expect(settleNow("x").cutBytes).toBe(0);
  });

  test("of a file that is shorter than its durable bytes has the size of the file", () => {
    upload("x", "12");
    catalog.markDurable("x", "key-x", 4);
    recover(layout, catalog, laterBoot, 3);
    expect(settleNow("x")).toMatchObject({ cutBytes: 0, row: { size: 2, durableBytes: 2 } });
  });

  test("without a file is removed", () => {
    upload("lost", "lost");
    fs.unlinkSync(layout.incomingPath("key-lost"));
    expect(settleNow("lost").row).toBeUndefined();
    expect(catalog.find("lost")).toBeUndefined();
  });
});

describe("recovery", () => {
  test("makes a sealed stream whose file was not moved unfinished again", () => {
    const item = upload("x", "12345");
    catalog.seal(item, 2);
    recover(layout, catalog, boot, 3);
    expect(catalog.find("x")).toMatchObject({ state: "unfinished", size: 5, sha256: null });
    expect(incoming()).toEqual([item.key]);
  });

  test("finishes a sealed stream whose file was moved", () => {
    const item = upload("x", "12345");
    catalog.seal(item, 2);
    fs.mkdirSync(layout.objectFolder(item.sha256), { recursive: true });
    fs.renameSync(layout.incomingPath(item.key), layout.objectPath(item.sha256));
    expect(recover(layout, catalog, laterBoot, 3)).toEqual({ completed: 1, removed: 0 });
    expect(catalog.find("x")).toMatchObject({ state: "finished", finishedAt: 3 });
  });

  test("keeps all bytes of a sealed stream after a reboot: they were synced before", () => {
    catalog.seal(upload("x", "12345"), 2);
    recover(layout, catalog, laterBoot, 3);
    expect(catalog.find("x")).toMatchObject({ state: "unfinished", size: 5 });
  });

  test("removes a sealed stream without any file", () => {
    const item = upload("x", "12345");
    catalog.seal(item, 2);
    fs.unlinkSync(layout.incomingPath(item.key));
    expect(recover(layout, catalog, boot, 3)).toEqual({ completed: 0, removed: 1 });
    expect(catalog.find("x")).toBeUndefined();
  });

  test("looks at no file of an unfinished stream", () => {
    upload("x", "12345");
    fs.unlinkSync(layout.incomingPath("key-x"));
    recover(layout, catalog, boot, 3);
    expect(catalog.find("x")).toMatchObject({ state: "unfinished", size: 0 });
  });
});
