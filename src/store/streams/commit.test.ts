import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { type CommitItem, commitGroup } from "./commit.ts";
import { CacheLayout } from "../layout.ts";
import { listObjectFiles } from "./objects.ts";
import { recover } from "./recover.ts";
import { SqliteCatalog } from "./sqlite.ts";

let folder: ReturnType<typeof temporaryFolder>;
let layout: CacheLayout;
let catalog: SqliteCatalog;

beforeEach(() => {
  folder = temporaryFolder();
  layout = new CacheLayout(folder.path);
  layout.create();
  catalog = new SqliteCatalog(layout.catalog);
});

afterEach(() => {
  catalog.close();
  folder[Symbol.dispose]();
});

/** An upload as a writer thread leaves it: its file in incoming/, its row unfinished. */
function upload(streamId: string, text: string): CommitItem {
  const key = `key-${streamId}`;
  fs.writeFileSync(layout.incomingPath(key), text);
  catalog.reserve(streamId, key, 1);
  const sha256 = new Bun.CryptoHasher("sha256").update(text).digest("hex");
  return { streamId, key, size: text.length, sha256, format: null };
}

const boot = { id: "first", startedAt: 1 };
const commit = (...items: CommitItem[]) => commitGroup(layout, catalog, items, 100);
const incoming = () => fs.readdirSync(layout.incoming);
const objects = () => Array.from(listObjectFiles(layout), ([, name]) => name);

describe("a commit", () => {
  test("moves the audio to its object and finishes the stream", async () => {
    const item = upload("x", "some audio");
    expect(await commit(item)).toEqual([{ addedBytes: 10 }]);
    expect(incoming()).toEqual([]);
    expect(fs.readFileSync(layout.objectPath(item.sha256), "utf8")).toBe("some audio");
    expect(catalog.find("x")).toMatchObject({ state: "finished", size: 10, finishedAt: 100 });
  });

  test("stores the same content once, within a group and across groups", async () => {
    const items = [upload("one", "same"), upload("two", "same")];
    expect(await commit(...items)).toEqual([{ addedBytes: 4 }, { addedBytes: 0 }]);
    expect(await commit(upload("three", "same"))).toEqual([{ addedBytes: 0 }]);
    expect(objects()).toEqual([items[0]!.sha256]);
    expect(incoming()).toEqual([]);
  });

  test("fails only the upload whose file is missing", async () => {
    const items = [upload("good", "1"), upload("gone", "2")];
    fs.unlinkSync(layout.incomingPath(items[1]!.key));
    const [good, gone] = await commit(...items);
    expect(good).toEqual({ addedBytes: 1 });
    expect(gone).toHaveProperty("error.code", "ENOENT");
    expect(catalog.find("gone")!.state).toBe("unfinished");
  });

  test("replaces an object of the wrong size, which a damaged disk may leave", async () => {
    const item = upload("x", "whole");
    fs.mkdirSync(layout.objectFolder(item.sha256), { recursive: true });
    fs.writeFileSync(layout.objectPath(item.sha256), "who");
    await commit(item);
    expect(fs.readFileSync(layout.objectPath(item.sha256), "utf8")).toBe("whole");
  });

  test("accepts an empty stream", async () => {
    expect(await commit(upload("empty", ""))).toEqual([{ addedBytes: 0 }]);
    expect(catalog.find("empty")).toMatchObject({ state: "finished", size: 0 });
  });
});

describe("recovery", () => {
  test("keeps an interrupted upload with the size of its file", () => {
    upload("x", "12345");
    expect(recover(layout, catalog, boot, 1)).toMatchObject({ resumable: 1, resumableBytes: 5, removed: 0 });
    expect(catalog.find("x")).toMatchObject({ state: "unfinished", size: 5 });
  });

  test("truncates an upload to its durable bytes after a reboot, and only then", () => {
    upload("x", "1234567");
    upload("never synced", "12");
    const sealed = upload("sealed", "12345");
    recover(layout, catalog, boot, 1);
    catalog.markDurable("x", "key-x", 4);
    catalog.seal(sealed, 2);
    expect(recover(layout, catalog, boot, 3)).toMatchObject({ cutBytes: 0, resumableBytes: 14 });
    const later = { id: "second", startedAt: 1 };
    expect(recover(layout, catalog, later, 4)).toMatchObject({
      cutBytes: 5,
      resumable: 3,
      resumableBytes: 9,
    });
    expect(fs.readFileSync(layout.incomingPath("key-x"), "utf8")).toBe("1234");
    expect(catalog.find("x")).toMatchObject({ state: "unfinished", size: 4, durableBytes: 4 });
    expect(catalog.find("sealed")).toMatchObject({ state: "unfinished", size: 5 });
    // Bytes written after that boot survive a crash of the process again.
    fs.appendFileSync(layout.incomingPath("key-x"), "more");
    expect(recover(layout, catalog, later, 5)).toMatchObject({ cutBytes: 0, resumableBytes: 13 });
  });

  test("leaves a file alone that is shorter than its durable bytes", () => {
    upload("x", "12");
    recover(layout, catalog, boot, 1);
    catalog.markDurable("x", "key-x", 4);
    expect(recover(layout, catalog, { id: "second", startedAt: 1 }, 3)).toMatchObject({ cutBytes: 0 });
    expect(catalog.find("x")).toMatchObject({ state: "unfinished", size: 2, durableBytes: 2 });
  });

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
    expect(recover(layout, catalog, boot, 3)).toMatchObject({ completed: 1, resumable: 0 });
    expect(catalog.find("x")).toMatchObject({ state: "finished", finishedAt: 3 });
    expect(objects()).toEqual([item.sha256]);
  });

  test("removes rows without files and files without rows", async () => {
    const kept = upload("kept", "kept");
    await commit(kept);
    upload("lost", "lost");
    fs.unlinkSync(layout.incomingPath("key-lost"));
    fs.writeFileSync(layout.incomingPath("orphan"), "?");
    fs.mkdirSync(`${layout.objects}/ff`, { recursive: true });
    fs.writeFileSync(`${layout.objects}/ff/${"f".repeat(64)}`, "?");
    fs.writeFileSync(`${layout.objects}/ff/${kept.sha256}`, "in the wrong folder");
    expect(recover(layout, catalog, boot, 3).removed).toBe(4);
    expect(catalog.find("lost")).toBeUndefined();
    expect(incoming()).toEqual([]);
    expect(objects()).toEqual([kept.sha256]);
  });

  test("reports a finished stream whose audio is missing, and does not hide it", async () => {
    const item = upload("x", "12345");
    await commit(item);
    fs.unlinkSync(layout.objectPath(item.sha256));
    expect(recover(layout, catalog, boot, 3).damaged).toEqual(["x"]);
    expect(catalog.find("x")!.state).toBe("finished");
  });
});
