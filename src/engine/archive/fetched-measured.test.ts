import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { WavecacheError } from "../../base/errors.ts";
import { maxFetchedMeasuredBytes } from "../../base/limits/archive.ts";
import { openLog } from "../../base/log/log.ts";
import type { Archiver } from "../../pool/archiver.ts";
import type { MeasuredTask } from "../../store/archive/archiver-calls.ts";
import { fetchedMeasuredPath, levelsPath, peaksPath } from "../../store/recordings/peaks/files.ts";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { until } from "../../testing/harness/until.ts";
import { FetchedMeasured } from "./fetched-measured.ts";

let folder: ReturnType<typeof temporaryFolder>;
let fetched: string[];
let answers: unknown[];
let measured: FetchedMeasured;
/** Bytes that the archive has for a key; an error if it fails. */
let archive: (key: string) => number | WavecacheError;

beforeEach(() => {
  folder = temporaryFolder();
  [fetched, answers] = [[], []];
  archive = () => 10;
  const call = async (_call: string, { key, path }: MeasuredTask) => {
    fetched.push(key);
    const bytes = archive(key);
    if (bytes instanceof WavecacheError) throw bytes;
    if (bytes > 0) for (const file of [levelsPath(path), peaksPath(path)]) writeFileSync(file, key);
    return bytes;
  };
  const archiver = { call } as unknown as Pick<Archiver, "call">;
  const answered = (error: unknown) => void answers.push(error);
  measured = new FetchedMeasured({ archiver, folder: folder.path, answered }, openLog("test"));
});
afterEach(() => folder[Symbol.dispose]());

const refsOf = (keys: readonly string[]) => keys.map((key) => ({ key, size: 1 }));
const isHere = (key: string) => existsSync(peaksPath(fetchedMeasuredPath(folder.path, key)));

test("Each recording is fetched once, whoever asks and how often", async () => {
  const keys = Array.from({ length: 30 }, (_, index) => `k${index}`);
  expect(await Promise.all([measured.bring(refsOf(keys)), measured.bring(refsOf(keys))])).toEqual([
    true,
    true,
  ]);
  expect(await measured.bring(refsOf(["k3"]))).toBe(true);
  expect(fetched.toSorted()).toEqual(keys.toSorted());
  expect(keys.every(isHere)).toBe(true);
});

test("What the archive lacks, or cannot bring, is no error; some that came are worth another look", async () => {
  archive = () => 0;
  expect(await measured.bring(refsOf(["a"]))).toBe(false);
  const error = new WavecacheError("ARCHIVE_UNAVAILABLE");
  archive = (key) => (key === "b" ? error : 5);
  expect(await measured.bring(refsOf(["b"]))).toBe(false);
  expect(await measured.bring(refsOf(["b", "c"]))).toBe(true);
  expect(answers.filter((each) => each !== undefined)).toEqual([error, error]);
});

test("Beyond the limit the files that were used least recently go, and come again when they are needed", async () => {
  archive = () => maxFetchedMeasuredBytes / 2;
  for (const key of ["a", "b"]) await measured.bring(refsOf([key]));
  await measured.bring(refsOf(["a"]));
  await measured.bring(refsOf(["c"]));
  await until("the file to go", 5_000, () => !isHere("b"));
  expect([isHere("a"), isHere("c")]).toEqual([true, true]);
  expect(await measured.bring(refsOf(["b"]))).toBe(true);
  expect(fetched).toEqual(["a", "b", "c", "b"]);
});
