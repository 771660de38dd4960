/** Many streams, with names and tags, and without audio. */
import { CacheLayout } from "../../src/store/layout.ts";
import { SqliteCatalog } from "../../src/store/streams/sqlite/catalog.ts";

const rowsPerTransaction = 10_000;

/** Enters streams into the catalog of a server that does not run. Returns how long each took, in milliseconds. */
export function fillCatalog(cacheDir: string, streams: number): number {
  const layout = new CacheLayout(cacheDir);
  layout.create();
  const catalog = new SqliteCatalog(layout.catalog);
  const before = performance.now();
  for (let from = 0; from < streams; from += rowsPerTransaction) {
    catalog.transaction(() => {
      for (let index = from; index < Math.min(streams, from + rowsPerTransaction); index++)
        enter(catalog, index);
    }, false);
  }
  const ms = (performance.now() - before) / streams;
  catalog.close();
  return ms;
}

function enter(catalog: SqliteCatalog, index: number): void {
  const sha256 = new Bun.CryptoHasher("sha256").update(String(index)).digest("hex");
  const pick = (count: number, salt: number) => (index * 2_654_435_761 + salt) % count;
  const tags = {
    title: `Song ${sha256.slice(0, 6)} number ${index}`,
    artist: `Artist ${pick(1_000, 7)}`,
    album: `Album ${pick(10_000, 13)}`,
    name: `music/common/take-${index}.mp3`,
  };
  catalog.enter({
    streamId: `stream-${String(index).padStart(8, "0")}`,
    key: `earlier-${index}`,
    sha256,
    size: pick(1_000_000, 3),
    format: "audio/mpeg",
    metadata: { contentType: undefined, format: undefined, tags },
    audio: {
      container: "MPEG",
      codec: "MPEG 1 Layer 3",
      duration: pick(600, 5),
      sampleRate: 44_100,
      channels: 2,
      bitRate: 128_000,
    },
    createdAt: 1_700_000_000_000 + index * 1_000,
    finishedAt: 1_700_000_000_000 + index * 1_000,
  });
}
