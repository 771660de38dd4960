/**
 * Files that no row accounts for, from the files to the rows. Only for a store that no server has open: its files come
 * and go before its rows do, and it looks for orphans itself.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { listSetAside, type Origin, setAside } from "../../store/check/lost-found.ts";
import { isObjectName } from "../../store/streams/objects.ts";
import type { SqliteCatalog } from "../../store/streams/sqlite/catalog.ts";
import { namesIn } from "../files.ts";
import type { Examination } from "./examination.ts";

export async function examineOrphans(examination: Examination, catalog: SqliteCatalog): Promise<void> {
  examination.progress.step("files without an entry in the catalog");
  const { objects, incoming } = examination.store.layout;
  for (const folder of namesIn(objects)) {
    const path = join(objects, folder);
    if (!fs.statSync(path).isDirectory()) await reportOrphan(examination, path, folder, "objects");
    else await examineFolder(examination, catalog, path, folder);
  }
  for (const name of namesIn(incoming)) {
    if (!catalog.hasKey(name)) await reportOrphan(examination, join(incoming, name), name, "incoming");
  }
}

async function examineFolder(
  examination: Examination,
  catalog: SqliteCatalog,
  folder: string,
  prefix: string,
): Promise<void> {
  for (const name of namesIn(folder)) {
    const isKnown = isObjectName(name) && name.startsWith(prefix) && catalog.hasObject(name, "");
    if (!isKnown) await reportOrphan(examination, join(folder, name), name, "objects");
  }
}

async function reportOrphan(
  examination: Examination,
  path: string,
  name: string,
  origin: Origin,
): Promise<void> {
  const message = "no entry of the catalog accounts for this file";
  const problem = { code: "orphan", subject: path, message, mend: "move it to lost+found/" };
  await examination.report(problem, () => setAside(examination.store.layout, path, name, origin));
}

/** What lies in lost+found/. That is no problem: nothing there is in use. */
export function countLostFound({ store: { layout }, figures }: Examination): void {
  let files = 0;
  let bytes = 0;
  for (const origin of ["objects", "incoming", "catalog"] as const) {
    for (const path of listSetAside(layout, origin)) {
      files += 1;
      bytes += fs.statSync(path).size;
    }
  }
  figures["lostAndFoundFiles"] = files;
  figures["lostAndFoundBytes"] = bytes;
}
