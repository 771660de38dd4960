/** Runs a command on the store and prints its outcome. */
import { version } from "../../package.json";
import { toWavecacheError, WavecacheError } from "../base/errors.ts";
import { type CatalogReader, readFromCatalog, readFromServer } from "../store/catalog-reader.ts";
import type { CacheLayout } from "../store/layout.ts";
import { acquireLock } from "../store/lock.ts";
import { isCatalogLost } from "../store/streams/recover.ts";
import { SqliteCatalog } from "../store/streams/sqlite/catalog.ts";
import { backUp } from "./backup.ts";
import type { AdminCommand } from "./command.ts";
import { examine } from "./doctor/doctor.ts";
import { exitCode, type Outcome, printOutcome, type Progress, showProgress } from "./report.ts";
import { restore } from "./restore.ts";
import { openFolder } from "./store-folder.ts";

/** Returns the exit code. Throws an error of the table if the command cannot do its work. */
export async function runAdminCommand(command: AdminCommand): Promise<number> {
  const outcome = await outcomeOf(command, showProgress(process.stderr));
  printOutcome(command.name, outcome, command.json);
  return exitCode(outcome);
}

function outcomeOf(command: AdminCommand, progress: Progress): Promise<Outcome> {
  const { cacheDir, recordingsDir } = command;
  switch (command.name) {
    case "backup": {
      const layout = openFolder(cacheDir);
      return withReader(layout, (reader) =>
        backUp({ reader, layout, recordingsDir, version }, command.folder, command, progress),
      );
    }
    case "restore":
      return restore(command.folder, { cacheDir, recordingsDir }, command, progress);
    case "doctor":
      return examine({ cacheDir, recordingsDir }, command, progress);
  }
}

/** Reads from the server that has the folder, or opens the catalog while no server may start. */
async function withReader<T>(layout: CacheLayout, use: (reader: CatalogReader) => Promise<T>): Promise<T> {
  const lock = tryLock(layout);
  if (lock === undefined) return await use(readFromServer(layout));
  try {
    if (isCatalogLost(layout)) throw new WavecacheError("CATALOG_LOST", layout.catalog);
    const catalog = new SqliteCatalog(layout.catalog);
    try {
      return await use(readFromCatalog(catalog));
    } finally {
      catalog.close();
    }
  } finally {
    lock.release();
  }
}

function tryLock(layout: CacheLayout) {
  try {
    return acquireLock(layout.lock);
  } catch (error) {
    if (toWavecacheError(error).code !== "STORE_IN_USE") throw error;
    return undefined;
  }
}
