/** What `bench:catalog` times, by name. `n` is the random number of a stream of `many-streams.ts`. */
import { noMetadata, type StreamMetadata } from "../../src/store/streams/metadata.ts";
import type { StreamSearch } from "../../src/store/streams/search.ts";
import type { SqlCatalog } from "../../src/store/streams/sql/catalog.ts";

export type Call = (n: number) => unknown;

const everything: StreamSearch = {
  state: undefined,
  text: undefined,
  type: undefined,
  tags: {},
  from: undefined,
  to: undefined,
  by: "id",
  isDescending: false,
  after: undefined,
  limit: 100,
};
const newest = { by: "created", isDescending: true } as const;

export const idOf = (n: number) => `stream-${String(n).padStart(8, "0")}`;
const createdAt = (n: number) => 1_700_000_000_000 + n * 1_000;
const sha256 = (n: number) => new Bun.CryptoHasher("sha256").update(String(n)).digest("hex");

/** Lookups, which have the limit of 5 ms at the 99th percentile. */
export function lookupsOf(catalog: SqlCatalog): Record<string, Call> {
  return {
    "a stream by its id": (n) => catalog.find(idOf(n)),
    "a stream by its name": (n) => catalog.findNamed(`take-${n}.mp3`),
    "the streams of an object": (n) => catalog.streamsOf(sha256(n), 10),
  };
}

/** Pages of 100, which have the limit of 50 ms. */
export function listsOf(catalog: SqlCatalog): Record<string, Call> {
  const search = (query: Partial<StreamSearch>) => catalog.search({ ...everything, ...query });
  const list = (state: "finished" | "unfinished" | undefined, after: string) =>
    catalog.list({ state, after, limit: 100 });
  return {
    "by id: the first page": () => list(undefined, ""),
    "by id: a deep page": (n) => list(undefined, idOf(n)),
    "by id: a deep page of finished ones": (n) => list("finished", idOf(n)),
    "by id: unfinished ones": () => list("unfinished", ""),
    "newest first: the first page": () => search(newest),
    "newest first: a deep page": (n) => search({ ...newest, after: { value: createdAt(n), doc: n + 1 } }),
    "longest first": () => search({ by: "duration", isDescending: true }),
    "by title": () => search({ by: "title" }),
    "one day, newest first": (n) => search({ ...newest, from: createdAt(n), to: createdAt(n) + 86_400_000 }),
    "of a type, finished, newest first": () => search({ ...newest, type: "audio/mpeg", state: "finished" }),
    "a tag that 1 in 1,000 has": (n) => search({ tags: { artist: `artist ${n % 1_000}` } }),
    "the same, finished, newest first": (n) =>
      search({ ...newest, tags: { artist: `artist ${n % 1_000}` }, state: "finished" }),
    "a tag that 1 in 10,000 has": (n) => search({ tags: { album: `album ${n % 10_000}` } }),
    "a name": (n) => search({ ...newest, text: `take-${n}.mp3` }),
    "the beginning of a name, 3 digits": (n) => search({ ...newest, text: `take-${100 + (n % 900)}` }),
    "the beginning of a name, 5 digits": (n) => search({ ...newest, text: `take-${10_000 + (n % 90_000)}` }),
    "the beginning of a word, 1 digit": (n) => search({ ...newest, text: String(1 + (n % 9)) }),
    "a word that every stream has": () => search({ ...newest, text: "common" }),
    "the same, finished, a deep page": (n) =>
      search({ ...newest, text: "common", state: "finished", after: { value: createdAt(n), doc: n + 1 } }),
    "two words, the second 1 in 1,000": (n) => search({ ...newest, text: `${n % 1_000} artist` }),
    "the same by id": (n) => search({ text: `${n % 1_000} artist` }),
    "no such word": () => search({ ...newest, text: "nothing" }),
  };
}

function metadataOf(n: number): StreamMetadata {
  return { ...noMetadata, tags: { name: `folder/track ${n}.mp3`, artist: "Somebody" } };
}

const newUpload = (n: number) => ({ id: `new-${n}`, key: `new-key-${n}`, hash: sha256(-1 - n) });

/** They are durable, and leave the catalog as it was. */
export function writesOf(catalog: SqlCatalog): Record<string, Call> {
  return {
    "an upload begins": (n) => {
      const { id, key } = newUpload(n);
      catalog.transaction(() => catalog.remove(id), false);
      catalog.transaction(() => catalog.reserve(id, key, n, metadataOf(n)), false);
    },
    "an upload begins, ends and is removed": (n) => {
      const { id, key, hash } = newUpload(n);
      catalog.transaction(() => catalog.reserve(id, key, n, metadataOf(n)), false);
      catalog.transaction(
        () => catalog.seal({ streamId: id, size: 9, sha256: hash, format: "audio/mpeg" }, n),
        false,
      );
      catalog.transaction(() => catalog.finish(id, n), true);
      catalog.transaction(() => catalog.remove(id), true);
    },
    "a page of retention": (n) => {
      const after = { at: createdAt(n), id: idOf(n) };
      return catalog.retention.candidates({ kind: "streams", order: "use", after, limit: 100 });
    },
  };
}
