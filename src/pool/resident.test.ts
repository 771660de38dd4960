import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { KiB, MiB } from "../base/limits/units.ts";
import { CacheLayout } from "../store/layout.ts";
import { blockBytes } from "../store/streams/sums/sums.ts";
import { putObject } from "../testing/fixtures/object.ts";
import { temporaryFolder } from "../testing/fixtures/temporary-folder.ts";
import { Random, sha256 } from "../testing/harness/bytes.ts";
import { flipByte } from "../testing/harness/damage.ts";
import { type ReadTo, ResidentFiles } from "./resident.ts";

let folder: ReturnType<typeof temporaryFolder>;
let layout: CacheLayout;
let path: string;
const maxFiles = 20;
const audio = new Random(1).bytes(2 * MiB + 100);

beforeEach(() => {
  folder = temporaryFolder();
  layout = new CacheLayout(folder.path);
  path = putObject(layout, audio);
});
afterEach(() => folder[Symbol.dispose]());

/** A system with everything in the page cache except for one block of a file; -1 for everything. */
function withoutBlock(missing: number): (buffer: Uint8Array) => ReadTo {
  return (buffer) => (descriptor, length, offset) => {
    if (offset <= missing * blockBytes && missing * blockBytes < offset + length) return false;
    return fs.readSync(descriptor, buffer, 0, length, offset) === length;
  };
}

function admitted(load?: (buffer: Uint8Array) => ReadTo | undefined): ResidentFiles {
  const files = new ResidentFiles(layout, maxFiles, load);
  files.admit(path);
  return files;
}

/** Descriptors of this process that lead to the object. */
function opened(): number {
  const links = fs.readdirSync("/proc/self/fd").map((name) => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${name}`);
    } catch {
      // The descriptor that listed the folder.
      return "";
    }
  });
  return links.filter((link) => link === path).length;
}

describe("resident files", () => {
  test("return ranges that are wholly in memory, at any offset", () => {
    const files = admitted(withoutBlock(-1));
    for (const [offset, length] of [
      [0, 1],
      [blockBytes - 1, 2],
      [5, 3 * blockBytes],
      [blockBytes, blockBytes],
      [audio.length - 1, 1],
      [7, MiB],
      [audio.length - MiB, MiB],
    ] as const) {
      expect(files.view(path, offset, length)).toEqual(audio.subarray(offset, offset + length));
    }
  });

  test("return nothing of a range that touches a block outside of memory", () => {
    const files = admitted(withoutBlock(3));
    expect(files.view(path, 0, 3 * blockBytes)).toBeDefined();
    expect(files.view(path, 0, 3 * blockBytes + 1)).toBeUndefined();
    expect(files.view(path, 4 * blockBytes - 1, 10)).toBeUndefined();
    expect(files.view(path, 4 * blockBytes, 10)).toBeDefined();
  });

  test("return nothing of a range that touches a damaged block, whether they have read it before or not", () => {
    const files = admitted(withoutBlock(-1));
    expect(files.view(path, 0, 8 * blockBytes)).toBeDefined();
    flipByte(path, 3 * blockBytes + 5);
    expect(files.view(path, 0, 3 * blockBytes)).toBeDefined();
    expect(files.view(path, 0, 3 * blockBytes + 1)).toBeUndefined();
    expect(files.view(path, 4 * blockBytes, 10)).toBeDefined();
  });

  test("return nothing past the end of a truncated file", () => {
    const files = admitted(withoutBlock(-1));
    fs.truncateSync(path, blockBytes + 10);
    expect(files.view(path, 0, blockBytes)).toBeDefined();
    expect(files.view(path, blockBytes, 1)).toBeUndefined();
    fs.truncateSync(path, 0);
    expect(files.view(path, 0, 1)).toBeUndefined();
  });

  test("return nothing of files that are not admitted, missing, without checksums, too short or forgotten", () => {
    const files = new ResidentFiles(layout, maxFiles, withoutBlock(-1));
    expect(files.view(path, 0, 1)).toBeUndefined();
    const missing = layout.objectPath("ab".repeat(32));
    files.admit(missing);
    expect(files.view(missing, 0, 1)).toBeUndefined();
    files.admit(path);
    expect(files.view(path, audio.length, 1)).toBeUndefined();
    expect(files.view(path, 0, MiB + 1)).toBeUndefined();
    files.forget(path);
    expect(files.view(path, 0, 1)).toBeUndefined();
    fs.rmSync(layout.sumsPath(sha256(audio)));
    const others = new ResidentFiles(layout, maxFiles, withoutBlock(-1));
    others.admit(path);
    expect(others.view(path, 0, 1)).toBeUndefined();
  });

  test("return nothing without the system's help", () => {
    expect(admitted(() => undefined).view(path, 0, 1)).toBeUndefined();
    expect(admitted(() => () => false).view(path, 0, 1)).toBeUndefined();
  });
});

describe.skipIf(process.platform !== "linux")("resident files on Linux", () => {
  test("return a range of a file that was just written", () => {
    const files = admitted();
    expect(files.view(path, 100, 5 * KiB)).toEqual(audio.subarray(100, 100 + 5 * KiB));
  });

  test("open a file once, and close a forgotten file at once", () => {
    const files = admitted(withoutBlock(-1));
    files.admit(path);
    expect(opened()).toBe(1);
    files.forget(path);
    expect(opened()).toBe(0);
  });

  test("close the least recently used file when there are too many", () => {
    const files = admitted(withoutBlock(-1));
    for (let other = 0; other < maxFiles; other += 1) {
      files.admit(putObject(layout, Buffer.from(`object ${other}`)));
    }
    expect(opened()).toBe(0);
    expect(files.view(path, 0, 1)).toBeUndefined();
    expect(files.view(layout.objectPath(sha256(Buffer.from("object 0"))), 0, 8)).toEqual(
      new Uint8Array(Buffer.from("object 0")),
    );
  });
});
