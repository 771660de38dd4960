import { afterEach, beforeEach, expect, test } from "bun:test";
import * as fs from "node:fs";
import { dirname } from "node:path";
import { temporaryFolder } from "../../../testing/fixtures/temporary-folder.ts";
import { Random, sha256 } from "../../../testing/harness/bytes.ts";
import { CacheLayout } from "../../layout.ts";
import { blockBytes, type BlockSums, SumsBuilder } from "./sums.ts";
import { readSums, SumsCache, sweepSums, writeSums } from "./files.ts";

let folder: ReturnType<typeof temporaryFolder>;
let layout: CacheLayout;

beforeEach(() => {
  folder = temporaryFolder();
  layout = new CacheLayout(folder.path);
});
afterEach(() => folder[Symbol.dispose]());

const audio = new Random(1).bytes(3 * blockBytes);
const digest = sha256(audio);

function sumsOf(bytes: Uint8Array): BlockSums {
  const builder = new SumsBuilder();
  builder.add(bytes);
  return builder.finish();
}

test("checksums are stored under the SHA-256 of the object, and nothing else stays", () => {
  const sums = sumsOf(audio);
  expect(writeSums(layout, digest, sums)).toBe(true);
  expect(writeSums(layout, digest, sums)).toBe(true);
  expect(fs.readdirSync(dirname(layout.sumsPath(digest)))).toEqual([digest]);
  expect(readSums(layout, digest)!.encode()).toEqual(sums.encode());
});

test("checksums that are missing, broken or too long read as none", () => {
  expect(readSums(layout, digest)).toBeUndefined();
  writeSums(layout, digest, sumsOf(audio));
  expect(readSums(layout, digest, 10)).toBeUndefined();
  fs.truncateSync(layout.sumsPath(digest), 40);
  expect(readSums(layout, digest)).toBeUndefined();
  fs.rmSync(layout.sumsPath(digest));
  fs.mkdirSync(layout.sumsPath(digest));
  expect(readSums(layout, digest)).toBeUndefined();
});

test("a sweep removes checksums without an object and drafts, but nothing that may be new", async () => {
  const folderNumber = Number.parseInt(digest.slice(0, 2), 16);
  const others = [
    `${digest.slice(0, 2)}${"0".repeat(62)}`,
    `${digest}.draft`,
    `${digest.slice(0, 2)}${"1".repeat(62)}`,
  ];
  for (const name of [digest, ...others]) writeSums(layout, name, sumsOf(audio));
  fs.mkdirSync(layout.objectFolder(digest), { recursive: true });
  fs.writeFileSync(layout.objectPath(digest), audio);
  const old = new Date(Date.now() - 2 * 3_600_000);
  for (const name of [digest, ...others.slice(0, 2)]) fs.utimesSync(layout.sumsPath(name), old, old);
  expect(await sweepSums(layout, folderNumber)).toBe(2);
  expect(fs.readdirSync(dirname(layout.sumsPath(digest))).toSorted()).toEqual(
    [digest, others[2]!].toSorted(),
  );
  expect(await sweepSums(layout, (folderNumber + 1) % 256)).toBe(0);
});

test("a disk that refuses them is no failure", () => {
  fs.writeFileSync(layout.sums, "a file in place of the folder");
  expect(writeSums(layout, digest, sumsOf(audio))).toBe(false);
});

test("a cache keeps what fits, and reads the rest again", () => {
  const others = [1, 2, 3].map((seed) => new Random(seed).bytes(3 * blockBytes));
  const cache = new SumsCache(layout, 2 * sumsOf(audio).bytes);
  for (const other of others) cache.store(sha256(other), sumsOf(other));
  expect(cache.find(sha256(others[0]!))).toBeUndefined();
  expect(cache.find(sha256(others[1]!))).toBeDefined();
  expect(cache.load(sha256(others[0]!))!.firstDamaged(0, others[0]!)).toBeUndefined();
  expect(cache.find(sha256(others[2]!))).toBeUndefined();
  expect(cache.load(digest)).toBe(cache.find(digest)!);
});

test("a cache holds checksums that are longer than its limit one at a time", () => {
  const cache = new SumsCache(layout, 1);
  cache.store("one", sumsOf(audio));
  expect(cache.find("one")).toBeDefined();
  cache.store("two", sumsOf(audio));
  expect([cache.find("one"), cache.find("two")?.size]).toEqual([undefined, audio.length]);
});
