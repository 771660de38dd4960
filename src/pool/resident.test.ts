import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type Pointer, toArrayBuffer } from "bun:ffi";
import * as fs from "node:fs";
import { join } from "node:path";
import { maxResidentFiles } from "../base/limits/streams.ts";
import { isMapped } from "../testing/harness/memory-maps.ts";
import { temporaryFolder } from "../testing/fixtures/temporary-folder.ts";
import { ResidentFiles, type System } from "./resident.ts";

const pageBytes = 4096;
let folder: ReturnType<typeof temporaryFolder>;
let path: string;
const audio = Uint8Array.from({ length: 10 * pageBytes + 100 }, (_, index) => (index * 31) & 255);

beforeEach(() => {
  folder = temporaryFolder();
  path = join(folder.path, "object");
  fs.writeFileSync(path, audio);
});

afterEach(() => folder[Symbol.dispose]());

/** A system with all pages but one in memory; -1 for all. */
function systemWithout(missingPage: number): System {
  let base: number | undefined;
  return {
    pageBytes,
    mincore(address: Pointer, bytes: number, pages: Pointer): number {
      base ??= address;
      const first = (address - base) / pageBytes;
      const answer = new Uint8Array(toArrayBuffer(pages, 0, Math.ceil(bytes / pageBytes)));
      answer.forEach((_, index) => (answer[index] = first + index === missingPage ? 0 : 1));
      return 0;
    },
  };
}

describe("resident files", () => {
  test("return ranges that are wholly in memory, at any offset", () => {
    const files = new ResidentFiles(systemWithout(-1));
    files.admit(path);
    for (const [offset, length] of [
      [0, 1],
      [pageBytes - 1, 2],
      [5, 3 * pageBytes],
      [audio.length - 1, 1],
      [0, audio.length],
    ] as const) {
      expect(files.view(path, offset, length)).toEqual(audio.subarray(offset, offset + length));
    }
  });

  test("return nothing of a range that touches a page outside of memory", () => {
    const files = new ResidentFiles(systemWithout(3));
    files.admit(path);
    expect(files.view(path, 0, 3 * pageBytes)).toBeDefined();
    expect(files.view(path, 0, 3 * pageBytes + 1)).toBeUndefined();
    expect(files.view(path, 4 * pageBytes - 1, 10)).toBeUndefined();
    expect(files.view(path, 4 * pageBytes, 10)).toBeDefined();
  });

  test("return nothing of files that are not admitted, missing, too short or forgotten", () => {
    const files = new ResidentFiles(systemWithout(-1));
    expect(files.view(path, 0, 1)).toBeUndefined();
    files.admit(join(folder.path, "missing"));
    expect(files.view(join(folder.path, "missing"), 0, 1)).toBeUndefined();
    files.admit(path);
    expect(files.view(path, audio.length, 1)).toBeUndefined();
    files.forget(path);
    expect(files.view(path, 0, 1)).toBeUndefined();
  });

  test.skipIf(process.platform !== "linux")("unmap a forgotten file at once", () => {
    const files = new ResidentFiles(systemWithout(-1));
    files.admit(path);
    expect(isMapped(path)).toBe(true);
    files.forget(path);
    expect(isMapped(path)).toBe(false);
  });

  test.skipIf(process.platform !== "linux")(
    "unmap the least recently used file when there are too many",
    () => {
      const files = new ResidentFiles(systemWithout(-1));
      files.admit(path);
      for (let other = 0; other < maxResidentFiles; other += 1) {
        const otherPath = join(folder.path, `other-${other}`);
        fs.writeFileSync(otherPath, "x");
        files.admit(otherPath);
      }
      expect(isMapped(path)).toBe(false);
      expect(isMapped(join(folder.path, "other-0"))).toBe(true);
    },
  );

  test("return nothing if mincore fails", () => {
    const files = new ResidentFiles({ pageBytes, mincore: () => -1 });
    files.admit(path);
    expect(files.view(path, 0, 1)).toBeUndefined();
  });

  test.skipIf(process.platform !== "linux")("return a range of a file that was just written", () => {
    const files = new ResidentFiles();
    files.admit(path);
    expect(files.view(path, 100, 5000)).toEqual(audio.subarray(100, 5100));
  });
});
