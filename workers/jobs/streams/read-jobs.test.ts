import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { errorOfNumber } from "../../../src/base/errors.ts";
import { GiB, KiB, MiB } from "../../../src/base/limits/units.ts";
import { BlockingEnd } from "../../../src/lane/blocking-end.ts";
import { allocateLane } from "../../../src/lane/lane.ts";
import {
  decodeFailure,
  encodeOpen,
  encodeRange,
  READ_CLOSE,
  READ_FAILED,
  READ_LAST,
  READ_OPEN,
  READ_RANGE,
} from "../../../src/lane/messages/streams.ts";
import { RingConsumer } from "../../../src/lane/ring.ts";
import { isMapped } from "../../../src/testing/harness/memory-maps.ts";
import { temporaryFolder } from "../../../src/testing/fixtures/temporary-folder.ts";
import { ReadJobs } from "./read-jobs.ts";

let folder: ReturnType<typeof temporaryFolder>;
let results: RingConsumer;
let jobs: ReadJobs;
let lane: BlockingEnd;

beforeEach(() => {
  folder = temporaryFolder();
  const memory = allocateLane(64 * KiB, MiB);
  results = new RingConsumer(memory.results);
  lane = new BlockingEnd(memory);
  jobs = new ReadJobs(lane);
});

afterEach(() => {
  jobs.close();
  folder[Symbol.dispose]();
});

function run(kind: number, subject: number, bytes: Uint8Array): void {
  jobs.run(kind, subject, { bytes, offset: 0, length: bytes.length });
}

/** Returns the answer to one read: its bytes, or the code of its failure. */
function read(handle: number, offset: number, length: number): Uint8Array | string {
  run(READ_RANGE, handle, encodeRange(offset, length));
  lane.publishResults();
  const parts: Uint8Array[] = [];
  while (results.next()) {
    if (results.kind === READ_FAILED) {
      const code = errorOfNumber(decodeFailure(results).number).code;
      results.release();
      return code;
    }
    parts.push(results.bytes.slice(results.offset, results.offset + results.length));
    if (results.kind === READ_LAST) break;
  }
  results.release();
  return Buffer.concat(parts);
}

function file(name: string, bytes: Uint8Array): string {
  const path = join(folder.path, name);
  fs.writeFileSync(path, bytes);
  return path;
}

const audio = Uint8Array.from({ length: 600 * KiB }, (_, index) => (index * 7) & 255);

describe.each([
  ["a mapped file", true],
  ["a growing file", false],
])("%s", (_name, immutable) => {
  test("is read by range, in one slice or several", () => {
    run(READ_OPEN, 1, encodeOpen(immutable, file("x", audio)));
    for (const [offset, length] of [
      [0, 1],
      [5, 1000],
      [1000, 512 * KiB],
      [audio.length - 1, 1],
      [0, audio.length],
    ] as const) {
      expect(read(1, offset, length)).toEqual(Buffer.from(audio.subarray(offset, offset + length)));
    }
  });

  test("that is too short fails the read, at its start or in the middle of it", () => {
    run(READ_OPEN, 1, encodeOpen(immutable, file("x", audio)));
    expect(read(1, audio.length - 10, 11)).toBe("STORE_FAILED");
    expect(read(1, audio.length - 300 * KiB, 400 * KiB)).toBe("STORE_FAILED");
    expect(read(1, 0, 10)).toEqual(Buffer.from(audio.subarray(0, 10)));
  });

  test("that is missing fails each read", () => {
    run(READ_OPEN, 1, encodeOpen(immutable, join(folder.path, "missing")));
    expect(read(1, 0, 1)).toBe("OBJECT_MISSING");
    expect(read(1, 0, 1)).toBe("OBJECT_MISSING");
    run(READ_CLOSE, 1, new Uint8Array(0));
  });
});

describe("a reader", () => {
  test("reads a growing file up to its current end", () => {
    const path = file("x", audio.subarray(0, 10));
    run(READ_OPEN, 1, encodeOpen(false, path));
    expect(read(1, 0, 10)).toEqual(Buffer.from(audio.subarray(0, 10)));
    fs.appendFileSync(path, audio.subarray(10, 20));
    expect(read(1, 5, 15)).toEqual(Buffer.from(audio.subarray(5, 20)));
  });

  test("reads a mapped file to its end after it was unlinked", () => {
    const path = file("x", audio);
    run(READ_OPEN, 1, encodeOpen(true, path));
    fs.unlinkSync(path);
    expect(read(1, 0, audio.length)).toEqual(Buffer.from(audio));
  });

  test.skipIf(process.platform !== "linux")("unmaps a closed file at once", () => {
    const path = file("x", audio);
    run(READ_OPEN, 1, encodeOpen(true, path));
    expect(isMapped(path)).toBe(true);
    run(READ_CLOSE, 1, new Uint8Array(0));
    expect(isMapped(path)).toBe(false);
  });

  test("reads an object that is too long for a map", () => {
    const path = file("x", new Uint8Array(0));
    const descriptor = fs.openSync(path, "r+");
    fs.writeSync(descriptor, audio, 0, 100, 4 * GiB + 50);
    fs.closeSync(descriptor);
    run(READ_OPEN, 1, encodeOpen(true, path));
    expect(read(1, 4 * GiB + 50, 100)).toEqual(Buffer.from(audio.subarray(0, 100)));
  });
});
