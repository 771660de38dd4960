import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, renameSync, rmdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../testing/fixtures/temporary-folder.ts";
import { FolderWatch } from "./folder-watch.ts";

let folder: ReturnType<typeof temporaryFolder>;
let watch: FolderWatch;
const at = (name: string) => join(folder.path, name);

beforeEach(() => {
  folder = temporaryFolder();
  mkdirSync(at("cache/incoming"), { recursive: true });
  writeFileSync(at("cache/catalog.db"), "rows");
  watch = new FolderWatch([at("cache"), at("cache/incoming")], [at("cache/catalog.db")]);
});

afterEach(() => {
  watch.close();
  folder[Symbol.dispose]();
});

test("nothing is lost while files come and go in the folders", () => {
  writeFileSync(at("cache/incoming/x"), "audio");
  writeFileSync(at("cache/catalog.db"), "more rows");
  rmSync(at("cache/incoming/x"));
  expect(watch.lost()).toBeUndefined();
});

test("a folder that was removed and made again is lost, even if it gets the old inode", () => {
  for (let round = 0; round < 20; round++) {
    rmdirSync(at("cache/incoming"));
    mkdirSync(at("cache/incoming"));
    expect(watch.lost()).toBe(at("cache/incoming"));
  }
});

test("a folder that was moved away is lost, and so is one behind a link that leads elsewhere", () => {
  renameSync(at("cache"), at("elsewhere"));
  expect(watch.lost()).toBe(at("cache"));
  mkdirSync(at("other/incoming"), { recursive: true });
  symlinkSync(at("other"), at("cache"));
  expect(watch.lost()).toBe(at("cache"));
  rmSync(at("cache"));
  symlinkSync(at("elsewhere"), at("cache"));
  expect(watch.lost()).toBeUndefined();
});

test("a file that was replaced is lost", () => {
  renameSync(at("cache/catalog.db"), at("cache/old.db"));
  writeFileSync(at("cache/catalog.db"), "rows");
  expect(watch.lost()).toBe(at("cache/catalog.db"));
});

test("a path that leads nowhere cannot be watched", () => {
  expect(() => new FolderWatch([at("missing")])).toThrow("ENOENT");
});
