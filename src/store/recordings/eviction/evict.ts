/**
 * Samples that the archive has go from the recordings folder. A crash right after a step leaves:
 *
 *     1  a file beside each says where its samples are     nothing else: it goes with the recording
 *     2  the catalog says that they are not here           a file that counts as evicted, until the next look finds it
 *     3  the files are unlinked                            samples that are in the archive alone
 */
import { join } from "node:path";
import { failpoint } from "../../../base/failpoint.ts";
import type { RecordingItems } from "../../archive/catalog.ts";
import { removeFile } from "../../layout.ts";
import type { Catalog } from "../../streams/catalog.ts";
import type { RecordingCatalog } from "../catalog.ts";
import { type EvictedRecording, noteEvicted } from "./note.ts";
import { isHere } from "../place.ts";

type EvictionCatalog = Pick<Catalog, "transaction"> & {
  readonly recordings: Pick<RecordingCatalog, "find" | "enter">;
  readonly archive: { readonly recordings: RecordingItems };
};

/** Resolves with what has gone. */
export async function evictSamples(
  catalog: EvictionCatalog,
  folder: string,
  ids: readonly number[],
): Promise<{ count: number; bytes: number }> {
  const rows = ids.flatMap((id) => catalog.recordings.find(id) ?? []);
  const here = rows.filter((row) => isHere(row) && row.archive !== undefined);
  await noteEvicted(folder, here);
  failpoint("evict.recordings.1");
  // A recording may have been joined with others, or removed, meanwhile.
  const same = here.filter(({ id, name }) => catalog.recordings.find(id)?.name === name);
  const going = catalog.transaction(
    () => same.filter(({ id }) => catalog.archive.recordings.setLocal(id, false)),
    true,
  );
  failpoint("evict.recordings.2");
  for (const { name } of going) removeFile(join(folder, `${name}.wav`));
  return { count: going.length, bytes: going.reduce((sum, { wav }) => sum + wav.bytes, 0) };
}

/** Enters what `evictSamples` has noted, in a catalog that does not know it. */
export function enterEvicted(catalog: EvictionCatalog, evicted: readonly EvictedRecording[]): void {
  if (evicted.length === 0) return;
  catalog.transaction(() => {
    for (const { entry, key } of evicted) {
      const { name, wav } = entry;
      const item = { name, sha256: wav.sha256, size: wav.bytes, key, isLocal: false };
      catalog.archive.recordings.enter(catalog.recordings.enter(entry), item);
    }
  }, true);
}
