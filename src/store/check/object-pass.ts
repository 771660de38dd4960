/**
 * Compares objects-v1/ with the rows of finished streams, a folder at a time. A row names its object before the object
 * gets its name (step 2 and 3 of commit.ts): an object in a list that was read before the rows is no orphan if its
 * stream is being committed.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { isMissing, sizeOfFile } from "../layout.ts";
import type { ObjectPosition, ObjectRow } from "../streams/catalog.ts";
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
  const names = new Set(await namesIn(folder));
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
    setOrphanAside(context, folder, name);
    await context.pace.rest();
  }
}

async function checkRows(context: CheckContext, rows: ObjectRow[]): Promise<void> {
  const finished = rows.filter(({ state }) => state === "finished");
  for (let from = 0; from < finished.length; from += maxConcurrentStats) {
    const group = finished.slice(from, from + maxConcurrentStats);
    const sizes = await Promise.all(
      group.map(({ sha256 }) => sizeOf(context.store.layout.objectPath(sha256))),
    );
    group.forEach((row, index) => {
      context.figures.checkedObjects += 1;
      if (sizes[index] !== row.size) checkAgain(context, row);
    });
  }
}

/** The stream may have been removed meanwhile. */
function checkAgain(context: CheckContext, { streamId, sha256 }: ObjectRow): void {
  const { layout, catalog } = context.store;
  const row = catalog.find(streamId);
  if (row?.state !== "finished" || row.sha256 !== sha256) return;
  if (sizeOfFile(layout.objectPath(sha256)) !== row.size) context.reportDamaged(streamId);
}

function setOrphanAside(context: CheckContext, folder: string, name: string): void {
  // A stream may have got this object meanwhile. The name may also be no SHA-256, or be in the wrong folder.
  if (context.store.catalog.hasObject(name, "") && name.startsWith(folder.slice(-2))) return;
  const path = join(folder, name);
  if (fs.existsSync(path)) context.setAside(path, name, "objects");
}

/** Whatever lies in objects-v1/ beside the folders that belong there. */
async function setStrayNamesAside(context: CheckContext): Promise<void> {
  const { layout } = context.store;
  for (const name of await namesIn(layout.objects)) {
    if (!prefixes.includes(name)) context.setAside(join(layout.objects, name), name, "objects");
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await fs.promises.readdir(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
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
