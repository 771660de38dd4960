/** The cache folder that a command works on. */
import * as fs from "node:fs";
import { WavecacheError } from "../base/errors.ts";
import { CacheLayout } from "../store/layout.ts";

/** Throws STORE_FAILED if there is no store: a wrong --cache-dir must not get a lock file and an empty catalog. */
export function openFolder(cacheDir: string): CacheLayout {
  const layout = new CacheLayout(cacheDir);
  if ([layout.catalog, layout.node, layout.objects].some((path) => fs.existsSync(path))) return layout;
  throw new WavecacheError("STORE_FAILED", `${cacheDir} holds no store; see --cache-dir`);
}

/** For commands that need the catalog's file. Throws STORE_FAILED if the catalog is in PostgreSQL. */
export function requireCatalogFile({ root, node }: CacheLayout): void {
  if (!fs.existsSync(node)) return;
  const detail = `the catalog of ${root} is in PostgreSQL, and this command works on a file of the folder`;
  throw new WavecacheError("STORE_FAILED", detail);
}
