/** A cache that is full of streams of a few bytes each, for benches that start a server on it. */
import { linkSync, mkdirSync, writeFileSync } from "node:fs";
import { CacheLayout } from "../../src/store/layout.ts";
import { noMetadata } from "../../src/store/streams/metadata.ts";
import { SqliteCatalog } from "../../src/store/streams/sqlite/catalog.ts";

const audio = "audio";
/** Of one file; ext4 allows 65,000. */
const maxLinks = 60_000;
const rowsPerTransaction = 10_000;

export interface Fill {
  /** Finished streams, each with its own file. */
  finished: number;
  /** Interrupted uploads. */
  unfinished: number;
}

export const finishedId = (index: number) => `finished-${String(index).padStart(8, "0")}`;

/** Fills the cache of a server that is stopped, without its own way of doing so, which would take hours. */
export function fillCache(cacheDir: string, { finished, unfinished }: Fill): void {
  const layout = new CacheLayout(cacheDir);
  layout.create();
  const catalog = new SqliteCatalog(layout.catalog);
  const inTransactions = (count: number, act: (index: number) => void) => {
    for (let from = 0; from < count; from += rowsPerTransaction) {
      const to = Math.min(count, from + rowsPerTransaction);
      catalog.transaction(() => {
        for (let index = from; index < to; index++) act(index);
      }, false);
    }
  };
  for (let folder = 0; folder < 256; folder++) {
    mkdirSync(layout.objectFolder(folder.toString(16).padStart(2, "0")), { recursive: true });
  }
  inTransactions(finished, (index) => enterFinished(layout, catalog, index));
  inTransactions(unfinished, (index) => {
    catalog.reserve(`unfinished-${index}`, `earlier-${index}`, Date.now());
    writeFileSync(layout.incomingPath(`earlier-${index}`), "begun");
  });
  catalog.close();
}

/** Objects are hard links of a few files, which is faster: nothing reads them here. */
function enterFinished(layout: CacheLayout, catalog: SqliteCatalog, index: number): void {
  const sha256 = new Bun.CryptoHasher("sha256").update(String(index)).digest("hex");
  const source = `${layout.root}/source-${Math.floor(index / maxLinks)}`;
  if (index % maxLinks === 0) writeFileSync(source, audio);
  linkSync(source, layout.objectPath(sha256));
  const streamId = finishedId(index);
  const times = { createdAt: Date.now(), finishedAt: Date.now() };
  const key = `earlier-${index}-of-finished`;
  catalog.enter({
    streamId,
    key,
    sha256,
    size: audio.length,
    format: null,
    metadata: noMetadata,
    audio: null,
    ...times,
  });
}
