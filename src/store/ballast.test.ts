import { expect, test } from "bun:test";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../testing/fixtures/temporary-folder.ts";
import { Ballast } from "./ballast.ts";

const bytes = 200_000;

test("a ballast takes its space, whatever part of it is there, and frees all of it", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "ballast");
  const ballast = new Ballast(path, bytes);
  expect(ballast.isWhole).toBe(false);
  expect(ballast.release()).toBe(false);
  writeFileSync(path, "a part");
  expect(ballast.refill()).toBe(true);
  expect(ballast.refill()).toBe(true);
  expect(statSync(path).size).toBe(bytes);
  expect(statSync(path).blocks * 512).toBeGreaterThanOrEqual(bytes);
  expect(Bun.zstdCompressSync(readFileSync(path)).length).toBeGreaterThan(0.95 * bytes);
  expect(ballast.release()).toBe(true);
  expect(statSync(path).blocks).toBe(0);
  expect(ballast.isWhole).toBe(false);
});
