/** The catalog for a command: that of the server which has the folder, or opened here while no server may start. */
import { toWavecacheError } from "../base/errors.ts";
import { type CommandCatalog, readFromCatalog, readFromServer } from "../store/catalog-reader.ts";
import { type CatalogAddress, openCatalog } from "../store/kept-catalog.ts";
import type { CacheLayout } from "../store/layout.ts";
import { acquireLock } from "../store/lock.ts";

/** Rejects with CATALOG_LOST if objects have no catalog: a new one would hide that. */
export async function withCatalog<T>(
  layout: CacheLayout,
  address: CatalogAddress | null,
  use: (catalog: CommandCatalog) => Promise<T>,
): Promise<T> {
  const lock = tryLock(layout);
  if (lock === undefined) return await use(readFromServer(layout));
  try {
    const { catalog } = openCatalog(layout, address);
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
