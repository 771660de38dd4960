/**
 * Brings pieces of archived objects into a sparse file beside the objects. A piece is verified before it is written: by
 * block checksums, or by the SHA-256 of an object that is one piece. A piece that is wrong is fetched once more.
 */
import * as fs from "node:fs";
import { dirname } from "node:path";
import { WavecacheError } from "../../../src/base/errors.ts";
import { failpoint } from "../../../src/base/failpoint.ts";
import { fetchPieceBytes, minSumsObjectBytes } from "../../../src/base/limits/archive.ts";
import type { FetchTask } from "../../../src/store/archive/archiver-calls.ts";
import type { Bucket } from "../../../src/store/archive/bucket.ts";
import { isRecordingKey, sidecarKeyOf, sumsKeyOf } from "../../../src/store/archive/keys.ts";
import { type CacheLayout, createFolder } from "../../../src/store/layout.ts";
import { SumsCache } from "../../../src/store/streams/sums/files.ts";
import { blockBytes, BlockSums, SumsBuilder, sumsFileBytes } from "../../../src/store/streams/sums/sums.ts";
import { computeSums } from "./compute-sums.ts";

export interface FetchHost {
  bucket: Bucket;
  layout: CacheLayout;
  sums: SumsCache;
}

/** Results in whether the file is whole now. */
export async function fetchPiece(host: FetchHost, task: FetchTask): Promise<{ isWhole: boolean }> {
  failpoint("archive.fetch");
  const { sha256, size } = task;
  if (size <= minSumsObjectBytes) {
    await fetchVerified(host, task, (bytes) => isWhole(host, sha256, bytes));
    return { isWhole: true };
  }
  const known = host.sums.load(sha256);
  // The first read of a recording at a node would take two round trips otherwise.
  const [sums, first] = known === undefined ? await fetchBoth(host, task) : [known, undefined];
  if (sums === undefined) return await fetchAll(host, task);
  const isRight = (bytes: Uint8Array) => sums.firstDamaged(task.offset / blockBytes, bytes) === undefined;
  await fetchVerified(host, task, isRight, first);
  return { isWhole: false };
}

/** The block checksums of the object, and the piece. */
async function fetchBoth(host: FetchHost, task: FetchTask) {
  return await Promise.all([fetchSums(host, task), getPiece(host.bucket, task)]);
}

async function getPiece(bucket: Bucket, { key, size, offset }: FetchTask): Promise<Uint8Array<ArrayBuffer>> {
  return await bucket.get(key, offset, Math.min(fetchPieceBytes, size - offset));
}

/** `first` is the piece as it came already. */
async function fetchVerified(
  host: FetchHost,
  task: FetchTask,
  isRight: (bytes: Uint8Array) => boolean,
  first?: Uint8Array<ArrayBuffer>,
): Promise<void> {
  const { sha256, offset } = task;
  const bytes = first ?? (await getPiece(host.bucket, task));
  if (isRight(bytes)) return writePiece(host.layout, task, bytes);
  const again = await getPiece(host.bucket, task);
  if (isRight(again)) return writePiece(host.layout, task, again);
  throw new WavecacheError("OBJECT_DAMAGED", `${sha256}: its copy in the archive is damaged at ${offset}`);
}

/** Keeps the block checksums of an object that is right: readers look for them. */
function isWhole({ sums }: FetchHost, sha256: string, bytes: Uint8Array): boolean {
  if (new Bun.CryptoHasher("sha256").update(bytes).digest("hex") !== sha256) return false;
  const builder = new SumsBuilder();
  builder.add(bytes);
  if (sums.load(sha256) === undefined) sums.store(sha256, builder.finish());
  return true;
}

/** Undefined if the archive does not have them whole. */
async function fetchSums({ bucket, sums }: FetchHost, { sha256, size, key }: FetchTask) {
  const file = await (isRecordingKey(key)
    ? bucket.getStart(sidecarKeyOf(key), sumsFileBytes(size))
    : bucket.getWhole(sumsKeyOf(key), sumsFileBytes(size)));
  const found = file && BlockSums.decode(file);
  if (found?.size !== size) return undefined;
  sums.store(sha256, found);
  return found;
}

/** Nothing of the object may be used before all of it is here. */
async function fetchAll(host: FetchHost, task: FetchTask): Promise<{ isWhole: boolean }> {
  const { layout, bucket } = host;
  const { sha256, size, key } = task;
  for (let offset = 0; offset < size; offset += fetchPieceBytes) {
    const bytes = await bucket.get(key, offset, Math.min(fetchPieceBytes, size - offset));
    writePiece(layout, { ...task, offset }, bytes);
  }
  host.sums.store(sha256, await computeSums(layout, layout.fetchedPath(sha256), sha256, size));
  return { isWhole: true };
}

const { O_RDWR, O_CREAT } = fs.constants;

function writePiece(layout: CacheLayout, { sha256, size, offset }: FetchTask, bytes: Uint8Array): void {
  const path = layout.fetchedPath(sha256);
  createFolder(dirname(path));
  const descriptor = fs.openSync(path, O_RDWR | O_CREAT, 0o600);
  try {
    if (fs.fstatSync(descriptor).size !== size) fs.ftruncateSync(descriptor, size);
    for (let done = 0; done < bytes.length;)
      done += fs.writeSync(descriptor, bytes, done, bytes.length - done, offset + done);
    failpoint("archive.piece");
  } finally {
    fs.closeSync(descriptor);
  }
}

/** The file is whole, as far as is known: compares its SHA-256, and makes it durable. Rejects with OBJECT_DAMAGED. */
export async function verifyFetched(layout: CacheLayout, sha256: string, size: number): Promise<void> {
  const path = layout.fetchedPath(sha256);
  await computeSums(layout, path, sha256, size);
  const descriptor = fs.openSync(path, "r+");
  try {
    fs.fdatasyncSync(descriptor);
    failpoint("archive.verified");
  } finally {
    fs.closeSync(descriptor);
  }
}
