/**
 * Compares objects-v1/ with the rows of finished streams, a folder at a time. A row names its object before the object
 * gets its name (step 2 and 3 of commit.ts): an object in a list that was read before the rows is no orphan if its
 * stream is being committed.
 */
import * as fs from "node:fs";
import { isJournalTrusted } from "./folder-entry.ts";
import { join } from "node:path";
import { noteDamage, streamFinished, streamRemoved } from "../events/facts.ts";
import { isMissing, removeFile, sizeOfFile, readNames } from "../layout.ts";
import type { FinishedStream, ObjectPosition, ObjectRow, StreamRow } from "../streams/catalog.ts";
import { type CheckContext, stepItems } from "./context.ts";

/** Files looked at concurrently: more would delay the syncs of commits, which use the same threads. */
const maxConcurrentStats = 4;
/** The folder to start with, if an earlier check was interrupted. */
const nextFolderFact = "check_folder";

const prefixes = Array.from({ length: 256 }, (_, index) => index.toString(16).padStart(2, "0"));

export async function checkObjects(context: CheckContext): Promise<void> {
  const { catalog } = context.store;
  const first = Math.max(0, prefixes.indexOf(catalog.meta(nextFolderFact) ?? ""));
  for (const prefix of [...prefixes.slice(first), ...prefixes.slice(0, first)]) {
    catalog.transaction(() => catalog.setMeta(nextFolderFact, prefix), false);
    await checkFolder(context, prefix);
  }
  catalog.transaction(() => catalog.setMeta(nextFolderFact, undefined), false);
  await setStrayNamesAside(context);
}

async function checkFolder(context: CheckContext, prefix: string): Promise<void> {
  const { layout, catalog } = context.store;
  const folder = join(layout.objects, prefix);
  const names = new Set(await readNames(folder));
  const orphans = new Set(names);
  let after: ObjectPosition | undefined;
  do {
    const rows = catalog.objects(prefix, after, stepItems);
    for (const { sha256 } of rows) orphans.delete(sha256);
    await checkRows(context, rows);
    await context.pace.rest();
    after = rows.at(-1);
  } while (after !== undefined);
  for (const name of orphans) {
    await adopt(context, prefix, name);
    await context.pace.rest();
  }
}

async function checkRows(context: CheckContext, rows: ObjectRow[]): Promise<void> {
  const finished = rows.filter(({ state }) => state === "finished");
  const sizes = await sizesOf(context, [...new Set(finished.map(({ sha256 }) => sha256))]);
  context.figures.checkedObjects += sizes.size;
  for (const row of finished) {
    if (sizes.get(row.sha256) !== row.size) await checkAgain(context, row);
    else countAsLocal(context, row.sha256);
  }
}

/** A crash has cut off the eviction of an object. */
function countAsLocal({ store: { catalog } }: CheckContext, sha256: string): void {
  if (catalog.archive.find(sha256)?.isLocal !== false) return;
  catalog.transaction(() => catalog.archive.setLocal(sha256, true), false);
}

/** The archive has an object that is not here. Another program may have removed it. */
function isInArchive({ store: { catalog, layout } }: CheckContext, sha256: string): boolean {
  const item = catalog.archive.find(sha256);
  if (item?.isArchived !== true || sizeOfFile(layout.objectPath(sha256)) !== undefined) return false;
  if (item.isLocal) catalog.transaction(() => catalog.archive.setLocal(sha256, false), false);
  return true;
}

async function sizesOf({ store }: CheckContext, objects: string[]): Promise<Map<string, number | undefined>> {
  const sizes = new Map<string, number | undefined>();
  for (let from = 0; from < objects.length; from += maxConcurrentStats) {
    const group = objects.slice(from, from + maxConcurrentStats);
    const found = await Promise.all(group.map((sha256) => sizeOf(store.layout.objectPath(sha256))));
    group.forEach((sha256, index) => sizes.set(sha256, found[index]));
  }
  return sizes;
}

/** The object of a row is missing or has another size. */
async function checkAgain(context: CheckContext, { streamId, sha256 }: ObjectRow): Promise<void> {
  if (isInArchive(context, sha256)) return;
  const index = await context.index();
  const { layout, catalog } = context.store;
  const row = catalog.find(streamId);
  // The stream may have been removed meanwhile.
  if (row?.state !== "finished" || row.sha256 !== sha256) return;
  const size = sizeOfFile(layout.objectPath(sha256));
  if (size === row.size) return;
  if (size === undefined && index.isRemoved(streamId, row.key)) forget(context, row);
  else markDamaged(context, streamId, sha256);
}

function markDamaged(context: CheckContext, streamId: string, sha256: string): void {
  const { catalog } = context.store;
  catalog.transaction(() => noteDamage(catalog, sha256), false);
  context.reportDamaged(streamId);
}

/** The catalog is older than the journal, which knows that this stream was removed. */
function forget({ store, figures }: CheckContext, row: StreamRow): void {
  const { catalog, drift } = store;
  const remove = () => {
    catalog.remove(row.streamId);
    streamRemoved(catalog.events, row, "request");
  };
  drift.around(() => catalog.transaction(remove, false));
  figures.forgottenStreams += 1;
}

/** A file that no row accounts for: it gets back the rows that the journal knows, or is set aside. */
async function adopt(context: CheckContext, prefix: string, name: string): Promise<void> {
  const { layout, catalog } = context.store;
  const path = join(layout.objects, prefix, name);
  const isObject = name.startsWith(prefix);
  const isKnown = isObject && isJournalTrusted(catalog);
  const streams = isKnown ? (await context.index()).streamsOf(name) : [];
  // From here on without a pause. The stream may have been committed or removed meanwhile.
  const size = sizeOfFile(path);
  if (size === undefined || (isObject && catalog.hasObject(name, ""))) return;
  const entered = enterAll(
    context,
    streams.filter((stream) => stream.size === size),
  );
  if (entered > 0) return;
  context.setAside(path, name, "objects");
  if (isObject) removeFile(layout.sumsPath(name));
}

/** Returns how many of the streams have rows now. An id may have been given to another stream since. */
function enterAll({ store, figures }: CheckContext, streams: FinishedStream[]): number {
  const { catalog, drift } = store;
  const enter = () => {
    const added = streams.filter((stream) => catalog.enter(stream));
    for (const stream of added) streamFinished(catalog.events, stream);
    return added.length;
  };
  const entered = drift.around(() => catalog.transaction(enter, false));
  figures.enteredStreams += entered;
  return entered;
}

/** Whatever lies in objects-v1/ beside the folders that belong there. */
async function setStrayNamesAside(context: CheckContext): Promise<void> {
  const { layout } = context.store;
  for (const name of await readNames(layout.objects)) {
    if (!prefixes.includes(name)) context.setAside(join(layout.objects, name), name, "objects");
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await fs.promises.stat(path)).size;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
