import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { errorOfNumber } from "../../../src/base/errors.ts";
import { maxBytesHashedAtOnce } from "../../../src/base/limits/streams.ts";
import { KiB, MiB } from "../../../src/base/limits/units.ts";
import { BlockingEnd } from "../../../src/lane/blocking-end.ts";
import { allocateLane } from "../../../src/lane/lane.ts";
import {
  decodeFailure,
  encodeOpen,
  encodeNumbers,
  READ_CHECK,
  READ_CLOSE,
  READ_FAILED,
  READ_LAST,
  READ_OPEN,
  READ_RANGE,
  READ_VERIFY,
  READ_VOID,
} from "../../../src/lane/messages/streams.ts";
import { RingConsumer } from "../../../src/lane/ring.ts";
import { CacheLayout, identityOf } from "../../../src/store/layout.ts";
import { blockBytes } from "../../../src/store/streams/sums/sums.ts";
import { readSums } from "../../../src/store/streams/sums/files.ts";
import { putObject } from "../../../src/testing/fixtures/object.ts";
import { Random, sha256 } from "../../../src/testing/harness/bytes.ts";
import { flipByte } from "../../../src/testing/harness/damage.ts";
import { temporaryFolder } from "../../../src/testing/fixtures/temporary-folder.ts";
import { ReadJobs } from "./read-jobs.ts";

let folder: ReturnType<typeof temporaryFolder>;
let results: RingConsumer;
let jobs: ReadJobs;
let lane: BlockingEnd;
let layout: CacheLayout;

beforeEach(() => {
  folder = temporaryFolder();
  const memory = allocateLane(64 * KiB, MiB);
  results = new RingConsumer(memory.results);
  lane = new BlockingEnd(memory);
  layout = new CacheLayout(folder.path);
  jobs = new ReadJobs(lane, layout);
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
  run(READ_RANGE, handle, encodeNumbers(offset, length));
  lane.publishResults();
  const parts: Uint8Array[] = [];
  while (results.next()) {
    if (results.kind === READ_FAILED) {
      const code = errorOfNumber(decodeFailure(results).number).code;
      results.release();
      return code;
    }
    if (results.kind === READ_VOID) continue;
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

const audio = new Random(1).bytes(600 * KiB + 5);

function object(bytes: Uint8Array): string {
  return putObject(layout, bytes);
}

describe.each([
  ["an object", true],
  ["a growing file", false],
])("%s", (_name, isObject) => {
  const put = (): string => (isObject ? object(audio) : file("x", audio));

  test("is read by range, in one slice or several", () => {
    run(READ_OPEN, 1, encodeOpen(isObject, put()));
    for (const [offset, length] of [
      [0, 1],
      [5, 1000],
      [1000, 512 * KiB],
      [blockBytes, 2 * blockBytes],
      [blockBytes - 1, 2],
      [audio.length - 1, 1],
      [audio.length - blockBytes - 5, blockBytes + 5],
      [0, audio.length],
    ] as const) {
      expect(read(1, offset, length)).toEqual(Buffer.from(audio.subarray(offset, offset + length)));
    }
  });

  test("that is missing fails each read until it is there", () => {
    const path = put();
    fs.renameSync(path, `${path}.away`);
    run(READ_OPEN, 1, encodeOpen(isObject, path));
    expect(read(1, 0, 1)).toBe("OBJECT_MISSING");
    expect(read(1, 0, 1)).toBe("OBJECT_MISSING");
    fs.renameSync(`${path}.away`, path);
    expect(read(1, 0, 5)).toEqual(Buffer.from(audio.subarray(0, 5)));
    run(READ_CLOSE, 1, new Uint8Array(0));
  });

  test("is read to its end after it was unlinked", () => {
    const path = put();
    run(READ_OPEN, 1, encodeOpen(isObject, path));
    read(1, 0, 1);
    fs.unlinkSync(path);
    expect(read(1, 0, audio.length)).toEqual(Buffer.from(audio));
  });
});

describe("a growing file", () => {
  test("is read up to its current end", () => {
    const path = file("x", audio.subarray(0, 10));
    run(READ_OPEN, 1, encodeOpen(false, path));
    expect(read(1, 0, 10)).toEqual(Buffer.from(audio.subarray(0, 10)));
    fs.appendFileSync(path, audio.subarray(10, 20));
    expect(read(1, 5, 15)).toEqual(Buffer.from(audio.subarray(5, 20)));
  });

  test("that is too short fails the read, at its start or in the middle of it", () => {
    run(READ_OPEN, 1, encodeOpen(false, file("x", audio)));
    expect(read(1, audio.length - 10, 11)).toBe("STORE_FAILED");
    expect(read(1, audio.length - 300 * KiB, 400 * KiB)).toBe("STORE_FAILED");
    expect(read(1, 0, 10)).toEqual(Buffer.from(audio.subarray(0, 10)));
  });
});

describe("a damaged object", () => {
  test("fails the reads that touch a damaged block, and no others", () => {
    const path = object(audio);
    run(READ_OPEN, 1, encodeOpen(true, path));
    expect(read(1, 0, audio.length)).toEqual(Buffer.from(audio));
    flipByte(path, 3 * blockBytes + 5);
    expect(read(1, 0, audio.length)).toBe("OBJECT_DAMAGED");
    expect(read(1, 3 * blockBytes + 1000, 1)).toBe("OBJECT_DAMAGED");
    expect(read(1, 3 * blockBytes - 1, 2)).toBe("OBJECT_DAMAGED");
    const before = 3 * blockBytes;
    expect(read(1, 0, before)).toEqual(Buffer.from(audio.subarray(0, before)));
    expect(read(1, before + blockBytes, 100 * KiB)).toEqual(
      Buffer.from(audio.subarray(before + blockBytes, before + blockBytes + 100 * KiB)),
    );
    flipByte(path, 3 * blockBytes + 5);
    expect(read(1, 0, audio.length)).toEqual(Buffer.from(audio));
  });

  test("that is too short fails reads past its end, and one that is too long fails none", () => {
    const path = object(audio);
    run(READ_OPEN, 1, encodeOpen(true, path));
    fs.appendFileSync(path, "more");
    expect(read(1, 0, audio.length)).toEqual(Buffer.from(audio));
    fs.truncateSync(path, 2 * blockBytes + 10);
    expect(read(1, 0, 2 * blockBytes)).toEqual(Buffer.from(audio.subarray(0, 2 * blockBytes)));
    expect(read(1, 2 * blockBytes, 5)).toBe("OBJECT_DAMAGED");
    expect(read(1, audio.length - 1, 1)).toBe("OBJECT_DAMAGED");
    expect(read(1, audio.length, 1)).toBe("OBJECT_DAMAGED");
  });

  test("that another program replaces is read from the new file", () => {
    const path = object(audio);
    run(READ_OPEN, 1, encodeOpen(true, path));
    flipByte(path, 5);
    expect(read(1, 0, 10)).toBe("OBJECT_DAMAGED");
    fs.writeFileSync(`${path}.new`, audio);
    fs.renameSync(`${path}.new`, path);
    expect(read(1, 0, 10)).toEqual(Buffer.from(audio.subarray(0, 10)));
  });

  test.skipIf(process.platform === "win32")("may be no file at all", () => {
    const path = object(audio);
    fs.unlinkSync(path);
    run(READ_OPEN, 1, encodeOpen(true, path));
    for (const put of [() => fs.mkdirSync(path), () => Bun.spawnSync(["mkfifo", path])]) {
      put();
      expect(read(1, 0, 10)).toBe("OBJECT_DAMAGED");
      fs.rmSync(path, { recursive: true });
    }
    expect(read(1, 0, 10)).toBe("OBJECT_MISSING");
  });
});

function withoutSums(bytes: Uint8Array): { path: string; sums: string } {
  const path = object(bytes);
  const sums = layout.sumsPath(sha256(bytes));
  fs.rmSync(sums);
  return { path, sums };
}

/** Returns undefined, or the code of the first failure, of a check of all pieces. */
function check(handle: number, size: number): string | undefined {
  for (let offset = 0; offset < size; offset += 256 * KiB) {
    run(READ_CHECK, handle, encodeNumbers(offset, 256 * KiB, size));
    lane.publishResults();
    results.next();
    const failure = results.kind === READ_FAILED ? decodeFailure(results) : undefined;
    expect(failure !== undefined || results.length === 0).toBe(true);
    results.release();
    if (failure !== undefined) return errorOfNumber(failure.number).code;
  }
  return undefined;
}

describe("a check of an object", () => {
  test("verifies it without an answer's audio, and finds damage, a wrong size and a missing file", () => {
    const path = object(audio);
    run(READ_OPEN, 1, encodeOpen(true, path));
    expect(check(1, audio.length)).toBeUndefined();
    expect(check(1, audio.length)).toBeUndefined();
    flipByte(path, audio.length - 1);
    expect(check(1, audio.length)).toBe("OBJECT_DAMAGED");
    flipByte(path, audio.length - 1);
    expect(check(1, audio.length)).toBeUndefined();
    run(READ_CLOSE, 1, new Uint8Array(0));
    fs.appendFileSync(path, "more");
    run(READ_OPEN, 2, encodeOpen(true, path));
    expect(check(2, audio.length)).toBe("OBJECT_DAMAGED");
    run(READ_OPEN, 3, encodeOpen(true, layout.objectPath("ab".repeat(32))));
    expect(check(3, 10)).toBe("OBJECT_MISSING");
  });

  test("makes missing checksums again, piece by piece, and finds damage without them", () => {
    const { path, sums } = withoutSums(audio);
    run(READ_OPEN, 1, encodeOpen(true, path));
    expect(check(1, audio.length)).toBeUndefined();
    expect(readSums(layout, sha256(audio))!.firstDamaged(0, audio)).toBeUndefined();
    fs.rmSync(sums);
    flipByte(path, 5);
    jobs.close();
    jobs = new ReadJobs(lane, layout);
    run(READ_OPEN, 1, encodeOpen(true, path));
    expect(check(1, audio.length)).toBe("OBJECT_DAMAGED");
    flipByte(path, 5);
    expect(check(1, audio.length)).toBeUndefined();
    expect(fs.existsSync(sums)).toBe(true);
  });

  test("looks at the new file if it was replaced meanwhile", () => {
    const path = object(audio);
    flipByte(path, 5);
    run(READ_OPEN, 1, encodeOpen(true, path));
    expect(check(1, audio.length)).toBe("OBJECT_DAMAGED");
    fs.writeFileSync(`${path}.new`, audio);
    fs.renameSync(`${path}.new`, path);
    expect(check(1, audio.length)).toBeUndefined();
  });
});

/** Returns the identity that the answer has, or the code of the failure. */
function verify(handle: number, offset: number, length: number): string {
  run(READ_VERIFY, handle, encodeNumbers(offset, length));
  lane.publishResults();
  results.next();
  const failure = results.kind === READ_FAILED ? decodeFailure(results) : undefined;
  const identity = Buffer.from(results.bytes.slice(results.offset, results.offset + results.length));
  results.release();
  return failure === undefined ? identity.toString() : errorOfNumber(failure.number).code;
}

function identity(path: string): string {
  return identityOf(fs.statSync(path, { bigint: true }));
}

describe("a verification of a range of an object", () => {
  const long = new Random(9).bytes(3 * MiB + 5);

  test("tells which file it found right, in any order of ranges, and finds damage in its range alone", () => {
    const path = object(long);
    run(READ_OPEN, 1, encodeOpen(true, path));
    expect(verify(1, 2 * MiB, 8 * MiB)).toBe(identity(path));
    expect(verify(1, 0, MiB)).toBe(identity(path));
    flipByte(path, 2 * MiB + 5);
    expect(verify(1, 2 * MiB, MiB)).toBe("OBJECT_DAMAGED");
    expect(verify(1, 0, 2 * MiB)).toBe(identity(path));
    fs.truncateSync(path, MiB);
    expect(verify(1, 0, 8 * MiB)).toBe("OBJECT_DAMAGED");
  });

  test("tells of the file that it read, which need not be the one that has the name now", () => {
    const path = object(long);
    run(READ_OPEN, 1, encodeOpen(true, path));
    const before = verify(1, 0, MiB);
    fs.writeFileSync(`${path}.new`, long);
    fs.renameSync(`${path}.new`, path);
    expect(verify(1, 0, MiB)).toBe(before);
    expect(before).not.toBe(identity(path));
    run(READ_CLOSE, 1, new Uint8Array(0));
    run(READ_OPEN, 2, encodeOpen(true, path));
    expect(verify(2, 0, MiB)).toBe(identity(path));
  });
});

describe("an object without block checksums", () => {
  test("is hashed before its first read, and gets them again", () => {
    const { path, sums } = withoutSums(audio);
    run(READ_OPEN, 1, encodeOpen(true, path));
    expect(read(1, 7, 100)).toEqual(Buffer.from(audio.subarray(7, 107)));
    expect(readSums(layout, sha256(audio))!.firstDamaged(0, audio)).toBeUndefined();
    fs.writeFileSync(sums, "broken");
    run(READ_OPEN, 2, encodeOpen(true, path));
    flipByte(path, 1000);
    expect(read(2, 1000, 1)).toBe("OBJECT_DAMAGED");
  });

  test("fails every read if it is damaged anywhere, until it is right again", () => {
    const { path, sums } = withoutSums(audio);
    flipByte(path, 5);
    run(READ_OPEN, 1, encodeOpen(true, path));
    expect(read(1, 300 * KiB, 1)).toBe("OBJECT_DAMAGED");
    expect(read(1, 0, 10)).toBe("OBJECT_DAMAGED");
    expect(fs.existsSync(sums)).toBe(false);
    fs.writeFileSync(path, audio);
    expect(read(1, 0, 10)).toEqual(Buffer.from(audio.subarray(0, 10)));
  });

  test("is hashed in the background if it is long, and read meanwhile", () => {
    const long = new Uint8Array(maxBytesHashedAtOnce + MiB + 5).fill(7);
    const { path } = withoutSums(long);
    run(READ_OPEN, 1, encodeOpen(true, path));
    expect(read(1, 5, 10)).toEqual(Buffer.alloc(10, 7));
    expect(readSums(layout, sha256(long))).toBeUndefined();
    while (jobs.background());
    expect(readSums(layout, sha256(long))!.firstDamaged(0, long)).toBeUndefined();
    flipByte(path, 9);
    expect(read(1, 5, 10)).toBe("OBJECT_DAMAGED");
  });

  test("fails its reads once it is found to be damaged in the background", () => {
    const long = new Uint8Array(maxBytesHashedAtOnce + 5).fill(8);
    const { path } = withoutSums(long);
    flipByte(path, MiB);
    run(READ_OPEN, 1, encodeOpen(true, path));
    expect(read(1, 5, 10)).toEqual(Buffer.alloc(10, 8));
    while (jobs.background());
    expect(read(1, 5, 10)).toBe("OBJECT_DAMAGED");
  });
});
