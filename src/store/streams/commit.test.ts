import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { type CommitItem, commitGroup } from "./commit.ts";
import { Journal } from "../journal/journal.ts";
import { CacheLayout } from "../layout.ts";
import { listObjectFiles } from "./objects.ts";
import { SqliteCatalog } from "./sqlite/catalog.ts";

let folder: ReturnType<typeof temporaryFolder>;
let layout: CacheLayout;
let catalog: SqliteCatalog;
let journal: Journal;

beforeEach(() => {
  folder = temporaryFolder();
  layout = new CacheLayout(folder.path);
  layout.create();
  catalog = new SqliteCatalog(layout.catalog);
  journal = new Journal(layout.journal);
});

afterEach(async () => {
  catalog.close();
  await journal.close();
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

const commit = (...items: CommitItem[]) => commitGroup({ layout, catalog, journal }, items, 100);
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

  test("replaces an object that exists: only the new file is known to be right", async () => {
    const item = upload("x", "whole");
    fs.mkdirSync(layout.objectFolder(item.sha256), { recursive: true });
    fs.writeFileSync(layout.objectPath(item.sha256), "wrong");
    await commit(item);
    expect(fs.readFileSync(layout.objectPath(item.sha256), "utf8")).toBe("whole");
    fs.writeFileSync(layout.objectPath(item.sha256), "wro");
    expect(await commit(upload("y", "whole"))).toEqual([{ addedBytes: 0 }]);
    expect(fs.readFileSync(layout.objectPath(item.sha256), "utf8")).toBe("whole");
  });

  test("ends the damage of all streams with the same content", async () => {
    const item = upload("x", "whole");
    await commit(item);
    catalog.markDamaged(item.sha256, true);
    await commit(upload("y", "whole"));
    expect([catalog.find("x")!.isDamaged, catalog.find("y")!.isDamaged]).toEqual([false, false]);
  });

  test("moves a folder in the place of an object aside", async () => {
    const item = upload("x", "whole");
    fs.mkdirSync(layout.objectPath(item.sha256), { recursive: true });
    fs.writeFileSync(`${layout.objectPath(item.sha256)}/file`, "of somebody");
    expect(await commit(item)).toEqual([{ addedBytes: 5 }]);
    expect(fs.readFileSync(layout.objectPath(item.sha256), "utf8")).toBe("whole");
    const aside = fs.readdirSync(layout.objectFolder(item.sha256)).filter((name) => name !== item.sha256);
    expect(aside).toEqual([expect.stringMatching(/^[0-9a-f]{64}\.aside-/)]);
  });

  test("fails an upload whose file had a failed sync before, although its own sync succeeds", async () => {
    const items = [upload("good", "1"), upload("tainted", "22")];
    catalog.markDurable("tainted", "key-tainted", 1);
    catalog.distrust("tainted", "key-tainted");
    const [good, tainted] = await commit(...items);
    expect(good).toEqual({ addedBytes: 1 });
    expect(tainted).toHaveProperty("error.code", "STORE_FAILED");
    expect(catalog.find("tainted")).toMatchObject({ state: "unfinished", durableBytes: 1, epoch: -1 });
    expect(incoming()).toEqual(["key-tainted"]);
  });

  test("accepts an empty stream", async () => {
    expect(await commit(upload("empty", ""))).toEqual([{ addedBytes: 0 }]);
    expect(catalog.find("empty")).toMatchObject({ state: "finished", size: 0 });
  });
});
