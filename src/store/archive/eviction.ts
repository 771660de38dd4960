/**
 * Local copies of archived objects go and come. Both share a queue with commits and removals, so no upload of the same
 * audio interleaves. An eviction that a crash cuts off after a step leaves:
 *
 *     1  the journal is synced           nothing: it names the keys of archived objects anyway
 *     2  the rows are updated (synced)   a file that counts as evicted; the check counts it as local again
 *     3  the files are unlinked          the object in the archive alone
 *
 * The block checksums stay here: with them each piece that is fetched is verified by itself.
 */
import { failpoint } from "../../base/failpoint.ts";
import type { Journal } from "../journal/journal.ts";
import { type CacheLayout, removeFile } from "../layout.ts";
import type { Catalog } from "../streams/catalog.ts";
import { installObject, syncObjectFolders } from "../streams/objects.ts";
import type { ArchiveCalls } from "./calls.ts";

interface EvictionStore {
  layout: CacheLayout;
  catalog: Pick<Catalog, "archive" | "transaction">;
  journal: Pick<Journal, "sync">;
}

export async function evictObjects(
  { layout, catalog, journal }: EvictionStore,
  { sha256s }: ArchiveCalls["evict"][0],
): Promise<ArchiveCalls["evict"][1]> {
  await journal.sync();
  failpoint("evict.1");
  const evicted = catalog.transaction(() => {
    const found = sha256s.map((sha256) => catalog.archive.find(sha256)).filter((item) => item !== undefined);
    const going = found.filter(({ isArchived, isLocal }) => isArchived && isLocal);
    for (const { sha256 } of going) catalog.archive.setLocal(sha256, false);
    return going;
  }, true);
  failpoint("evict.2");
  for (const { sha256 } of evicted) removeFile(layout.objectPath(sha256));
  failpoint("evict.3");
  return evicted.map(({ sha256, size }) => ({ sha256, size }));
}

/** False, and the file goes, if the stream was removed meanwhile or uploaded again. */
export function localizeObject(
  { layout, catalog }: EvictionStore,
  { sha256, path }: ArchiveCalls["localize"][0],
): boolean {
  if (catalog.archive.find(sha256)?.isLocal !== false) {
    removeFile(path);
    return false;
  }
  const touched = new Set<string>();
  installObject(layout, path, sha256, touched);
  syncObjectFolders(touched);
  catalog.transaction(() => catalog.archive.setLocal(sha256, true), false);
  return true;
}
