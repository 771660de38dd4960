/** The cache folder that a command works on. */
import * as fs from "node:fs";
import { WavecacheError } from "../base/errors.ts";
import { CacheLayout } from "../store/layout.ts";

/** Throws STORE_FAILED if there is no store: a wrong --cache-dir must not get a lock file and an empty catalog. */
export function openFolder(cacheDir: string): CacheLayout {
  const layout = new CacheLayout(cacheDir);
  if ([layout.catalog, layout.objects].some((path) => fs.existsSync(path))) return layout;
  throw new WavecacheError("STORE_FAILED", `${cacheDir} holds no store; see --cache-dir`);
}
