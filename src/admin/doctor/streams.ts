/** Finished streams and their objects, from the rows to the files. */
import * as fs from "node:fs";
import { basename, join } from "node:path";
import { listSetAside, setAside } from "../../store/check/lost-found.ts";
import { removeFile, sizeOfFile } from "../../store/layout.ts";
import { syncObjectFolders } from "../../store/streams/objects.ts";
import type { SqliteCatalog } from "../../store/streams/sqlite/catalog.ts";
import { readSums, writeSums } from "../../store/streams/sums/files.ts";
import { finishedStreams, type FinishedRow } from "../catalog-pages.ts";
import { digestOf, isSound } from "../files.ts";
import { sumsOf } from "./sums.ts";
import type { Examination } from "./examination.ts";

export async function examineStreams(examination: Examination): Promise<void> {
  examination.progress.step("streams:");
  let done = 0;
  // Streams may share an object, which is read only once.
  const sound = new Set<string>();
  const archived = new Set<string>();
  for await (const page of finishedStreams(examination.store.reader)) {
    for (const stream of page) {
      if (stream.isEvicted) archived.add(stream.sha256);
      if (!sound.has(stream.sha256) && (await examineObject(examination, stream))) sound.add(stream.sha256);
      examination.progress.count((done += 1));
    }
  }
  examination.figures["streams"] = done;
  examination.figures["objects"] = sound.size;
  if (archived.size > 0) examination.figures["archivedObjects"] = archived.size;
}

/** Returns whether the object of the stream is as it should be. */
async function examineObject(examination: Examination, stream: FinishedRow): Promise<boolean> {
  const { store, options } = examination;
  const { sha256, size, streamId } = stream;
  const path = store.layout.objectPath(sha256);
  const deep = options.deep || stream.isDamaged;
  // Only the server reads the archive.
  if (stream.isEvicted && !stream.isDamaged && sizeOfFile(path) === undefined) return false;
  if (await isSound(path, size, sha256, deep)) {
    if (stream.isDamaged) await reportMark(examination, stream);
    if (options.deep) await examineSums(examination, sha256);
    return true;
  }
  if (!(await isStillThere(examination, stream))) return false;
  const found = sizeOfFile(path);
  const spare = await findSetAside(examination, stream);
  const mend = spare === undefined ? "move its entry to lost+found/" : `bring back ${spare}`;
  const problem =
    found === undefined
      ? { code: "object-missing", message: "its audio is missing" }
      : { code: "object-damaged", message: damageOf(found, size) };
  await examination.report({ ...problem, subject: streamId, mend }, (catalog) => {
    if (fs.existsSync(path)) setAside(store.layout, path, sha256, "objects");
    removeFile(store.layout.sumsPath(sha256));
    if (spare === undefined) removeEntry(examination, catalog, stream);
    else bringBack(examination, catalog, spare, sha256);
  });
  return false;
}

/** A server found the audio damaged, and it is whole: somebody has restored the file. */
async function reportMark(examination: Examination, { streamId, sha256 }: FinishedRow): Promise<void> {
  const message = "its audio is whole, but marked as damaged";
  const problem = { code: "mark-stale", subject: streamId, message, mend: "remove the mark" };
  await examination.report(problem, (catalog) =>
    catalog.transaction(() => catalog.markDamaged(sha256, false), true),
  );
}

function damageOf(found: number, size: number): string {
  return found === size
    ? "its audio is damaged: the SHA-256 differs"
    : `its audio has ${found} of ${size} bytes`;
}

/** A running server may have removed the stream since its row was read. */
async function isStillThere({ store, options }: Examination, stream: FinishedRow): Promise<boolean> {
  if (store.catalog !== undefined) return true;
  const { streamId, key, sha256, size } = stream;
  const row = await store.reader.call("find", { streamId });
  const deep = options.deep || stream.isDamaged;
  return (
    row?.key === key &&
    !row.isEvicted &&
    !(await isSound(store.layout.objectPath(sha256), size, sha256, deep))
  );
}

/** The object in lost+found/, whole. */
async function findSetAside({ store }: Examination, stream: FinishedRow): Promise<string | undefined> {
  for (const path of listSetAside(store.layout, "objects")) {
    if (basename(path).slice(0, 64) !== stream.sha256 || sizeOfFile(path) !== stream.size) continue;
    if ((await digestOf(path)) === stream.sha256) return path;
  }
  return undefined;
}

function bringBack(
  { store: { layout } }: Examination,
  catalog: SqliteCatalog,
  from: string,
  sha256: string,
): void {
  fs.mkdirSync(layout.objectFolder(sha256), { recursive: true });
  fs.renameSync(from, layout.objectPath(sha256));
  syncObjectFolders([layout.objectFolder(sha256), layout.objects]);
  catalog.transaction(() => catalog.markDamaged(sha256, false), true);
}

/** What the catalog knew of the stream is kept as a file: its id may be in use elsewhere. */
function removeEntry({ store: { layout } }: Examination, catalog: SqliteCatalog, stream: FinishedRow): void {
  const draft = join(layout.root, "removed-stream.json");
  fs.writeFileSync(draft, `${JSON.stringify(stream)}\n`, { mode: 0o600 });
  setAside(layout, draft, basename(draft), "catalog");
  catalog.transaction(() => catalog.remove(stream.streamId), true);
}

/** Only after the SHA-256 of the object was found right. */
async function examineSums(examination: Examination, sha256: string): Promise<void> {
  const { layout } = examination.store;
  if (!fs.existsSync(layout.sumsPath(sha256))) return;
  const right = await sumsOf(layout.objectPath(sha256), sha256);
  const stored = readSums(layout, sha256);
  if (stored !== undefined && Buffer.from(stored.encode()).equals(right.encode())) return;
  const message = "its block checksums are damaged";
  const problem = { code: "checksums-damaged", subject: sha256, message, mend: "write them again" };
  await examination.report(problem, () => writeSums(layout, sha256, right));
}
