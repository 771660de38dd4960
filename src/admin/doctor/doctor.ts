/**
 * `doctor`: compares the store's catalog with its files, both ways, and mends what can be mended. Nothing is deleted:
 * what has no place moves to lost+found/. While a server has the store open, the doctor only looks, and only at what the
 * catalog names.
 */
import { Database } from "bun:sqlite";
import * as fs from "node:fs";
import { basename } from "node:path";
import { systemCode, toWavecacheError } from "../../base/errors.ts";
import { commandPrefix } from "../../base/program.ts";
import { readFromCatalog, readFromServer } from "../../store/catalog-reader.ts";
import { replaceJournal } from "../../store/check/journal-pass.ts";
import { setAside } from "../../store/check/lost-found.ts";
import { Journal } from "../../store/journal/journal.ts";
import { type CacheLayout, sizeOfFile } from "../../store/layout.ts";
import { lockFolders } from "../../store/lock.ts";
import { rebuildCatalog } from "../../store/streams/rebuild.ts";
import { isCatalogLost } from "../../store/streams/recover.ts";
import { SqliteCatalog } from "../../store/streams/sqlite/catalog.ts";
import { openFolder, requireCatalogFile } from "../store-folder.ts";
import type { Outcome, Problem, Progress } from "../report.ts";
import { type DoctorOptions, Examination } from "./examination.ts";
import { countLostFound, examineOrphans } from "./orphans.ts";
import { examineRecordings, examineSegments } from "./recordings.ts";
import { examineStreams } from "./streams.ts";

export interface Folders {
  cacheDir: string;
  recordingsDir: string;
}

export async function examine(
  folders: Folders,
  options: DoctorOptions,
  progress: Progress,
): Promise<Outcome> {
  const layout = openFolder(folders.cacheDir);
  const locks = tryLock(folders, options);
  try {
    if (locks === undefined) return await examineRunning(layout, folders, options, progress);
    return await examineStopped(layout, folders, options, progress);
  } finally {
    locks?.release();
    progress.end();
  }
}

/** Undefined if a server has the folders, and nothing is to be mended. */
function tryLock({ cacheDir, recordingsDir }: Folders, { repair, rebuildCatalog }: DoctorOptions) {
  try {
    return lockFolders(cacheDir, recordingsDir);
  } catch (error) {
    if (toWavecacheError(error).code !== "STORE_IN_USE" || repair || rebuildCatalog) throw error;
    return undefined;
  }
}

async function examineRunning(
  layout: CacheLayout,
  { recordingsDir }: Folders,
  options: DoctorOptions,
  progress: Progress,
): Promise<Outcome> {
  const store = { layout, recordingsDir, reader: readFromServer(layout), catalog: undefined };
  const examination = new Examination(store, options, progress);
  examination.figures["isServerRunning"] = true;
  await examineStreams(examination);
  await examineRecordings(examination);
  countLostFound(examination);
  return examination;
}

async function examineStopped(
  layout: CacheLayout,
  { recordingsDir }: Folders,
  options: DoctorOptions,
  progress: Progress,
): Promise<Outcome> {
  requireCatalogFile(layout);
  const lost = await examineCatalog(layout, options, progress);
  if (lost !== undefined && lost.isMended !== true) return { figures: {}, problems: [lost] };
  const catalog = new SqliteCatalog(layout.catalog);
  const examination = new Examination(
    { layout, recordingsDir, reader: readFromCatalog(catalog), catalog },
    options,
    progress,
  );
  if (lost !== undefined) examination.problems.push(lost);
  if (fs.existsSync(layout.accessClosed) && catalog.tokens.count() === 0)
    examination.problems.push(lostTokens(layout));
  try {
    await examineStreams(examination);
    await examineOrphans(examination, catalog);
    await examineRecordings(examination);
    await examineSegments(examination, catalog);
    countLostFound(examination);
    if (examination.problems.some(({ isMended }) => isMended)) await rewriteJournal(layout, catalog);
    return examination;
  } finally {
    catalog.close();
  }
}

/** Nothing but the catalog has them, and the server stays closed. */
function lostTokens({ catalog }: CacheLayout): Problem {
  const mend = `create new ones with \`${commandPrefix} server token create --grant "*"\``;
  return { code: "tokens-lost", subject: catalog, message: "the tokens are lost", mend };
}

/** Otherwise the journal would still have the streams whose entries were removed. */
async function rewriteJournal(layout: CacheLayout, catalog: SqliteCatalog): Promise<void> {
  const journal = new Journal(layout.journal);
  try {
    await replaceJournal({ catalog, journal });
  } finally {
    await journal.close();
  }
}

/** Whether the catalog itself can be used; undefined if it can. */
async function examineCatalog(
  layout: CacheLayout,
  { deep, rebuildCatalog: rebuild }: DoctorOptions,
  progress: Progress,
): Promise<Problem | undefined> {
  progress.step("the catalog");
  const damage = isCatalogLost(layout) ? "it is missing" : damageOfCatalog(layout, deep);
  if (damage === undefined && !rebuild) return undefined;
  const problem = {
    code: "catalog-lost",
    subject: layout.catalog,
    message: damage ?? "it is to be built anew",
  };
  const mend = "build it anew with --rebuild-catalog";
  if (!rebuild) return { ...problem, mend };
  if (damage !== undefined) setCatalogAside(layout);
  const report = await rebuildCatalog(layout, {
    deep,
    onProgress: ({ objects }) => progress.count(objects),
  });
  const counts = `${report.known} streams with their ids, ${report.unknown} by their SHA-256`;
  return { ...problem, mend: `built anew with ${counts}`, isMended: report.damaged.length === 0 };
}

const damageCodes: ReadonlySet<string | undefined> = new Set(["SQLITE_CORRUPT", "SQLITE_NOTADB"]);

/** What SQLite finds wrong with the file; undefined if it is sound, or if there is none and nothing to be in it. */
function damageOfCatalog({ catalog }: CacheLayout, deep: boolean): string | undefined {
  if ((sizeOfFile(catalog) ?? 0) === 0) return undefined;
  try {
    const database = new Database(catalog, { readwrite: true, strict: true });
    try {
      database.run("PRAGMA locking_mode = EXCLUSIVE");
      const check = deep ? "integrity_check" : "quick_check";
      const found = database.query<Record<string, string>, []>(`PRAGMA ${check}(1)`).get();
      const [result] = Object.values(found ?? {});
      return result === "ok" ? undefined : `it is damaged: ${result}`;
    } finally {
      database.close();
    }
  } catch (error) {
    if (!damageCodes.has(systemCode(error))) throw error;
    return `it is damaged: ${toWavecacheError(error).message}`;
  }
}

function setCatalogAside(layout: CacheLayout): void {
  for (const suffix of ["-wal", "-shm", ""]) {
    const path = layout.catalog + suffix;
    if (fs.existsSync(path)) setAside(layout, path, basename(path), "catalog");
  }
}
