import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { sortKeys, type StreamSearch } from "./search.ts";
import { type CatalogPlace, catalogKinds } from "../../testing/harness/catalogs.ts";
import type { SqlCatalog } from "./sql/catalog.ts";
import { SqliteCatalog } from "./sqlite/catalog.ts";
import { migrations } from "./sqlite/schema.ts";

let place: CatalogPlace;
let catalog: SqlCatalog;

function openEach(create: () => CatalogPlace): void {
  beforeEach(() => {
    place = create();
    catalog = place.open();
  });
  afterEach(() => {
    catalog.close();
    place[Symbol.dispose]();
  });
}

interface Stream {
  tags?: Record<string, string>;
  contentType?: string;
  format?: string;
  size?: number;
  createdAt?: number;
  duration?: number;
}

function enter(streamId: string, stream: Stream = {}): void {
  const { tags = {}, contentType, format = null, size = 1, createdAt = 1, duration } = stream;
  const unknown = { container: null, codec: null, sampleRate: null, channels: null, bitRate: null };
  catalog.enter({
    streamId,
    key: `key-${streamId}`,
    sha256: "a".repeat(64),
    size,
    format,
    metadata: { contentType, format: undefined, tags },
    audio: duration === undefined ? null : { ...unknown, duration },
    createdAt,
    finishedAt: createdAt,
  });
}

function enterAll(count: number, enterOne: (index: number) => void): void {
  catalog.transaction(() => {
    for (let index = 0; index < count; index++) enterOne(index);
  }, false);
}

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

function found(query: Partial<StreamSearch>): string[] {
  const { streamIds, total } = catalog.search({ ...everything, ...query });
  expect(total).toBe(streamIds.length);
  return streamIds;
}

describe.each(catalogKinds)("the words of a search $name", ({ create }) => {
  openEach(create);

  test("are found in id, title, name and tags, whatever their case and accents", () => {
    enter("my-song_2");
    enter("b", { tags: { title: "Déjà vu" } });
    enter("c", { tags: { name: "music/Größe.wav" } });
    enter("d", { tags: { artist: "Sigur Rós" } });
    expect(found({ text: "song" })).toEqual(["my-song_2"]);
    expect(found({ text: "DEJA" })).toEqual(["b"]);
    expect(found({ text: "große" })).toEqual(["c"]);
    expect(found({ text: "ros" })).toEqual(["d"]);
    expect(found({ text: "artist" })).toEqual([]);
  });

  test("must all be there, and the last one may be the beginning of a word", () => {
    enter("a", { tags: { title: "Back in Black" } });
    enter("b", { tags: { title: "Black Dog" } });
    expect(found({ text: "bl" })).toEqual(["a", "b"]);
    expect(found({ text: "black ba" })).toEqual(["a"]);
    expect(found({ text: "bla back" })).toEqual([]);
  });

  test.each([
    '"',
    "AND",
    "NOT a",
    "title:a",
    "a*",
    "(",
    "^a",
    "-a",
    "NEAR(a b)",
    "\0",
    " ",
    "",
    "a\0b",
    "'",
    "%",
  ])("are never taken for syntax: %p", (text) => {
    enter("x", { tags: { title: "a" } });
    expect(() => catalog.search({ ...everything, text })).not.toThrow();
  });

  test("that hold signs are found by them", () => {
    enter("x", { tags: { title: "AC/DC" } });
    expect(found({ text: "ac/dc" })).toEqual(["x"]);
    expect(found({ text: "dc/ac" })).toEqual([]);
  });
});

describe.each(catalogKinds)("a search $name", ({ create }) => {
  openEach(create);

  test("finds streams by tag, type, state and time together", () => {
    enter("a", {
      tags: { artist: "Bach", year: "1720" },
      contentType: "audio/ogg; codecs=opus",
      createdAt: 10,
    });
    enter("b", { tags: { artist: "Bach" }, format: "audio/wav", createdAt: 20 });
    enter("c", { tags: { artist: "Bachmann" }, format: "audio/wav", createdAt: 30 });
    catalog.reserve("d", "key-d", 40, {
      contentType: undefined,
      format: undefined,
      tags: { artist: "Bach" },
    });
    expect(found({ tags: { artist: "bach" } })).toEqual(["a", "b", "d"]);
    expect(found({ tags: { artist: "Bach", year: "1720" } })).toEqual(["a"]);
    expect(found({ tags: { artist: "Bach" }, state: "finished" })).toEqual(["a", "b"]);
    expect(found({ tags: { artist: "Bach" }, state: "unfinished" })).toEqual(["d"]);
    expect(found({ type: "audio/ogg" })).toEqual(["a"]);
    expect(found({ type: "AUDIO/WAV", text: "bach" })).toEqual(["b", "c"]);
    expect(found({ from: 20, to: 40 })).toEqual(["b", "c"]);
    expect(found({ from: 20, to: 40, text: "bach", tags: { artist: "Bach" } })).toEqual(["b"]);
  });

  test("sees each change of a stream in the same transaction", () => {
    catalog.reserve("x", "key", 1, { contentType: undefined, format: undefined, tags: { title: "Live" } });
    expect(found({ text: "live", state: "unfinished" })).toEqual(["x"]);
    catalog.seal({ streamId: "x", size: 5, sha256: "b".repeat(64), format: "audio/flac" }, 2);
    catalog.finish("x", 3);
    expect(found({ text: "live", state: "finished", type: "audio/flac" })).toEqual(["x"]);
    expect(found({ state: "unfinished", text: "live" })).toEqual([]);
    expect(() =>
      catalog.transaction(() => {
        catalog.remove("x");
        expect(found({ text: "live" })).toEqual([]);
        throw new Error("rolled back");
      }, false),
    ).toThrow("rolled back");
    expect(found({ text: "live" })).toEqual(["x"]);
    catalog.remove("x");
    expect(found({ text: "live" })).toEqual([]);
    expect(found({ type: "audio/flac" })).toEqual([]);
  });
});

describe.each(catalogKinds)("the order of a list $name", ({ create }) => {
  openEach(create);

  beforeEach(() => {
    enter("e", { tags: { title: "alpha" }, size: 3, createdAt: 30, duration: 2 });
    enter("d", { tags: { name: "x/Beta.wav" }, size: 1, createdAt: 20, duration: 1 });
    enter("gamma", { size: 2, createdAt: 10 });
  });

  test.each([
    ["id", ["d", "e", "gamma"]],
    ["created", ["gamma", "d", "e"]],
    ["title", ["e", "d", "gamma"]],
    ["size", ["d", "gamma", "e"]],
    ["duration", ["gamma", "d", "e"]],
  ] as const)("can be that of %s, and descend", (by, ids) => {
    expect(found({ by })).toEqual([...ids]);
    expect(found({ by, isDescending: true })).toEqual(ids.toReversed());
  });
});

/** Every page of a query, with `act` after each. */
function pages(query: Partial<StreamSearch>, act: () => void = () => {}): string[] {
  const all: string[] = [];
  for (let after: StreamSearch["after"], isFirst = true; isFirst || after !== undefined; isFirst = false) {
    const { streamIds, next } = catalog.search({ ...everything, ...query, after, limit: 7 });
    all.push(...streamIds);
    after = next;
    act();
  }
  return all;
}

describe.each(catalogKinds)("pages $name", ({ create }) => {
  openEach(create);

  beforeEach(() => {
    // Many streams are equal in what they are sorted by.
    enterAll(100, (index) => {
      const even = { tags: { title: `t${index % 3}`, artist: "A" }, size: index % 4, createdAt: index % 5 };
      enter(`s${index}`, { ...even, ...(index % 2 === 0 ? {} : { duration: index % 3 }) });
    });
  });

  for (const by of sortKeys) {
    for (const isDescending of [false, true]) {
      for (const filter of [{}, { text: "t" }, { tags: { artist: "a" } }]) {
        const what = `${isDescending ? "-" : ""}${by} ${JSON.stringify(filter)}`;
        test(`have every stream once, in order: ${what}`, () => {
          const whole = found({ by, isDescending, ...filter });
          expect(whole).toHaveLength(100);
          expect(pages({ by, isDescending, ...filter })).toEqual(whole);
        });
      }
    }
  }

  test("neither repeat nor omit a stream while others come and go", () => {
    let count = 0;
    const seen = pages({ by: "created" }, () => {
      enter(`new-${count}`, { createdAt: count % 5 });
      catalog.remove(`new-${count - 2}`);
      count += 1;
    });
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.filter((id) => id.startsWith("s"))).toHaveLength(100);
  });

  test("are walked in order where the matches are many", () => {
    enterAll(3_000, (index) => enter(`many-${index}`, { tags: { title: "t" }, size: index % 100 }));
    const whole = catalog.search({ ...everything, text: "t", by: "size", limit: 5_000 });
    expect(whole.total).toBe(3_100);
    expect(pages({ text: "t", by: "size" })).toEqual(whole.streamIds);
  });
});

test("streams of an older version are found once they were added, in steps", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "catalog.db");
  const older = new Database(path, { create: true, strict: true });
  const before = migrations.findIndex((sql) => sql.includes("search_streams"));
  for (const migration of migrations.slice(0, before)) older.run(migration);
  older.run(`PRAGMA user_version = ${before}`);
  for (let index = 0; index < 25; index++) {
    older.run(
      `INSERT INTO streams (id, state, key, size, metadata, created_at, updated_at)
       VALUES ('s${index}', 2, 'k', 1, '{"tags":{"title":"Older ${index}"}}', ${index}, 1)`,
    );
  }
  older.close();
  catalog = new SqliteCatalog(path);
  expect(found({ text: "older" })).toEqual([]);
  expect(catalog.fillSearch(10)).toBe(true);
  expect(found({ text: "older" })).toHaveLength(10);
  catalog.remove("s0");
  enter("s11-new", { tags: { title: "Older too" } });
  while (catalog.fillSearch(10));
  expect(found({ text: "older" })).toHaveLength(25);
  expect(found({ text: "older", by: "created", isDescending: true })[0]).toBe("s24");
  expect(catalog.fillSearch(10)).toBe(false);
  catalog.close();
});
