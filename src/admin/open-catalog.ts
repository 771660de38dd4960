/** The catalog for a command: that of the server which has the folder, or opened here while no server may start. */
import { toWavecacheError, WavecacheError } from "../base/errors.ts";
import { type CommandCatalog, readFromCatalog, readFromServer } from "../store/catalog-reader.ts";
import type { CacheLayout } from "../store/layout.ts";
import { acquireLock } from "../store/lock.ts";
import { isCatalogLost } from "../store/streams/recover.ts";
import { SqliteCatalog } from "../store/streams/sqlite/catalog.ts";

/** Rejects with CATALOG_LOST if objects have no catalog: a new one would hide that. */
export async function withCatalog<T>(
  layout: CacheLayout,
  use: (catalog: CommandCatalog) => Promise<T>,
): Promise<T> {
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
