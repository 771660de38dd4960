import { beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { archivePartBytes as partBytes } from "../../../src/base/limits/archive.ts";
import { ArchiveFailure, type Bucket, type StoredPart } from "../../../src/store/archive/bucket.ts";
import type { QueuedItem } from "../../../src/store/archive/calls.ts";
import type { UploadPart } from "../../../src/store/archive/parts/catalog.ts";
import { CacheLayout } from "../../../src/store/layout.ts";
import { SumsBuilder } from "../../../src/store/streams/sums/sums.ts";
import { temporaryFolder } from "../../../src/testing/fixtures/temporary-folder.ts";
import { Random, sha256 } from "../../../src/testing/harness/bytes.ts";
import { storeItem } from "./stored-item.ts";

const audio = new Random(3).bytes(2 * partBytes + 100);
const ends = [partBytes, 2 * partBytes, audio.length];

let puts: number[];
let completed: number[][];
let begun: (string | null)[];
let completeFailure: ArchiveFailure | undefined;

function partOf(number: number, from: number, to: number): UploadPart {
  const builder = new SumsBuilder();
  builder.add(audio.subarray(from, to));
  const size = to - from;
  return { number, size, etag: `e${number}`, crc32: "c", sums: builder.finish().digestOf(0, size) };
}

function noteBegun(_item: unknown, uploadId: string | null): void {
  begun.push(uploadId);
}

/** Stores audio, of which the catalog knows these parts. */
async function store(parts: UploadPart[], bytes = audio): Promise<void> {
  using folder = temporaryFolder();
  const layout = new CacheLayout(folder.path);
  const digest = sha256(bytes);
  mkdirSync(dirname(layout.objectPath(digest)), { recursive: true });
  await Bun.write(layout.objectPath(digest), new Uint8Array(bytes));
  const bucket: Partial<Bucket> = {
    put: async () => {},
    listParts: async () => [],
    putPart: async (_key, _uploadId, number, body): Promise<StoredPart> => {
      puts.push(number);
      return { number, size: body.size, etag: "new", crc32: "c" };
    },
    completeParts: async (_key, _uploadId, all) => {
      completed.push(all.map(({ size }) => size));
      if (completeFailure !== undefined) throw completeFailure;
    },
  };
  const state = { isArchived: false, isLocal: true, recording: null, queuedAt: 0, failures: 0 };
  const item: QueuedItem = {
    ...state,
    sha256: digest,
    size: bytes.length,
    key: "uploads/k",
    uploadId: "id",
    parts,
  };
  await storeItem({ bucket: bucket as Bucket, layout, recordingsDir: folder.path, begun: noteBegun }, item);
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "none";
  } catch (error) {
    return (error as ArchiveFailure).code;
  }
}

beforeEach(() => {
  puts = [];
  completed = [];
  begun = [];
  completeFailure = undefined;
});

describe("an object whose parts were stored while its upload came", () => {
  test("lacks only the last one", async () => {
    await store([partOf(1, 0, ends[0]!), partOf(2, ends[0]!, ends[1]!)]);
    expect(puts).toEqual([3]);
    expect(completed).toEqual([[partBytes, partBytes, 100]]);
  });

  test("gets a part again that is not what the upload has turned out to be", async () => {
    await store([{ ...partOf(1, 0, ends[0]!), sums: "0123456789abcdef" }, partOf(2, ends[0]!, ends[1]!)]);
    expect(puts).toEqual([1, 3]);
  });

  test("lacks the last one although it is short as a whole, as one that another node had is", async () => {
    await store([partOf(1, 0, 200_000)], audio.subarray(0, 500_000));
    expect(completed).toHaveLength(1);
    expect(completed[0]!.reduce((sum, size) => sum + size, 0)).toBe(500_000);
  });

  test("gets a short part again, which none may follow", async () => {
    await store([partOf(1, 0, ends[0]!), partOf(2, ends[0]!, ends[0]! + 1024 * 1024)]);
    expect(puts).toEqual([2, 3]);
    expect(completed).toEqual([[partBytes, partBytes, 100]]);
  });

  test.each([
    ["has no such upload", new ArchiveFailure("OBJECT_MISSING", "NoSuchUpload", 404)],
    ["has other parts", new ArchiveFailure("ARCHIVE_UNAVAILABLE", "InvalidPart", 400)],
  ])("begins anew if the store %s", async (_what, failure) => {
    completeFailure = failure;
    expect(await codeOf(store([partOf(1, 0, ends[0]!)]))).toBe("ARCHIVE_UNAVAILABLE");
    expect(begun).toEqual([null]);
  });
});
