/** Everything in a catalog, a page at a time. */
import { maxListedRecordings } from "../base/limits/recordings.ts";
import { maxListedStreams } from "../base/limits/streams.ts";
import type { ArchiveItem } from "../store/archive/catalog.ts";
import type { CatalogReader } from "../store/catalog-reader.ts";
import type { RecordingRow } from "../store/recordings/catalog.ts";
import type { FinishedStream, StreamRow } from "../store/streams/catalog.ts";

export type FinishedRow = StreamRow & FinishedStream;

/** Pages of finished streams, by id. */
export async function* finishedStreams(reader: CatalogReader): AsyncGenerator<FinishedRow[]> {
  let after = "";
  for (;;) {
    const rows = await reader.call("list", { state: "finished", after, limit: maxListedStreams });
    if (rows.length === 0) return;
    yield rows.map(finishedStream);
    after = rows.at(-1)!.streamId;
  }
}

function finishedStream(row: StreamRow): FinishedRow {
  return { ...row, sha256: row.sha256!, finishedAt: row.finishedAt! };
}

/** Pages of recordings, by id. */
export async function* allRecordings(reader: CatalogReader): AsyncGenerator<RecordingRow[]> {
  for (let id = 0; ;) {
    const rows = await reader.call("recordingsAfter", { id, limit: maxListedRecordings });
    if (rows.length === 0) return;
    yield rows;
    id = rows.at(-1)!.id;
  }
}

/** Pages of what the archive has, or gets, by SHA-256. */
export async function* archiveItems(reader: CatalogReader): AsyncGenerator<ArchiveItem[]> {
  for (let sha256 = ""; ;) {
    const items = await reader.call("archiveItemsAfter", { sha256, limit: maxListedStreams });
    if (items.length === 0) return;
    yield items;
    sha256 = items.at(-1)!.sha256;
  }
}
