import { afterEach, beforeEach, expect, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { Random } from "../../testing/harness/bytes.ts";
import { loadReadNow } from "./read-now.ts";

const bytes = new Random(1).bytes(100_000);
let folder: ReturnType<typeof temporaryFolder>;
let descriptor: number;

beforeEach(() => {
  folder = temporaryFolder();
  fs.writeFileSync(join(folder.path, "x"), bytes);
  descriptor = fs.openSync(join(folder.path, "x"), "r");
});
afterEach(() => {
  fs.closeSync(descriptor);
  folder[Symbol.dispose]();
});

test.skipIf(process.platform !== "linux")("bytes of the page cache are read to any part of a buffer", () => {
  const readNow = loadReadNow()!;
  const into = new Uint8Array(50_000);
  expect(readNow(descriptor, into.subarray(10, 40_010), 7)).toBe(40_000);
  expect(into.slice(10, 40_010)).toEqual(bytes.slice(7, 40_007));
  expect(
    [into.subarray(0, 10), into.subarray(40_010)].every((part) => part.every((byte) => byte === 0)),
  ).toBe(true);
});

test.skipIf(process.platform !== "linux")(
  "nothing is read behind the end, to no buffer, or from no file",
  () => {
    const readNow = loadReadNow()!;
    const into = new Uint8Array(100);
    expect(readNow(descriptor, into, bytes.length - 10)).toBe(10);
    expect(readNow(descriptor, into, bytes.length)).toBe(0);
    expect(readNow(descriptor, into.subarray(0, 0), 0)).toBe(0);
    expect(readNow(-1, into, 0)).toBe(0);
  },
);
