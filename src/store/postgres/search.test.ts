/** What the search in PostgreSQL does on its own; `streams/search.test.ts` compares it with that in SQLite. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { postgresPrograms, postgresServer } from "../../testing/harness/servers/postgres.ts";
import type { SortKey, StreamSearch } from "../streams/search.ts";
import { PostgresCatalog } from "./catalog.ts";
import { PostgresDatabase } from "./database.ts";
import { SearchStatistics } from "./search-statistics.ts";
import { searchWindows } from "./search-windows.ts";

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

interface Entered {
  id: string;
  createdAt: number;
  title: string;
  isFinished: boolean;
}

const count = 6_000;
/** Half of them match, in no order; one in 50 is not finished. */
const streams: Entered[] = Array.from({ length: count }, (_, index) => ({
  id: `s${(index * 7919) % count}`,
  createdAt: (index * 104_729) % 5_000,
  title: index % 2 === 0 ? `wanted ${index}` : `other ${index}`,
  isFinished: index % 50 !== 0,
}));
const matching = streams.filter(({ title }) => title.startsWith("wanted"));

let catalog: PostgresCatalog;
let database: PostgresDatabase;

function enter({ id, createdAt, title, isFinished }: Entered): void {
  const metadata = { contentType: undefined, format: undefined, tags: { title, kind: title.slice(0, 6) } };
  if (!isFinished) return void catalog.reserve(id, `key-${id}`, createdAt, metadata);
  const stored = {
    streamId: id,
    key: `key-${id}`,
    sha256: "a".repeat(64),
    size: 1,
    format: null,
    audio: null,
  };
  catalog.enter({ ...stored, metadata, createdAt, finishedAt: createdAt });
}

function inOrder(by: SortKey, isDescending: boolean, found: Entered[]): string[] {
  const sorted = found.toSorted((one, other) => {
    if (by === "created" && one.createdAt !== other.createdAt) return one.createdAt - other.createdAt;
    if (by === "created") return streams.indexOf(one) - streams.indexOf(other);
    return one.id < other.id ? -1 : 1;
  });
  return (isDescending ? sorted.toReversed() : sorted).map(({ id }) => id);
}

function pages(query: Partial<StreamSearch>): { ids: string[]; totals: Set<number> } {
  const ids: string[] = [];
  const totals = new Set<number>();
  let after: StreamSearch["after"];
  do {
    const page = catalog.search({ ...everything, ...query, after, limit: 70 });
    ids.push(...page.streamIds);
    totals.add(page.total);
    after = page.next;
  } while (after !== undefined);
  return { ids, totals };
}

const found = (text: string) => pages({ by: "created", text }).ids;

const withServer = describe.skipIf(postgresPrograms === undefined);

withServer("a search with many matches", () => {
  beforeAll(() => {
    const settings = { url: postgresServer().createSchema(), node: "node" };
    catalog = new PostgresCatalog(settings);
    database = new PostgresDatabase(settings, () => {});
    for (let from = 0; from < count; from += 1_000)
      catalog.transaction(() => streams.slice(from, from + 1_000).forEach(enter), false);
    database.script("ANALYZE search_texts; ANALYZE streams");
  });

  afterAll(() => {
    catalog.close();
    database.close();
  });

  for (const by of ["id", "created"] as const) {
    for (const isDescending of [false, true]) {
      test(`has each match once, in order: ${isDescending ? "-" : ""}${by}`, () => {
        const all = inOrder(by, isDescending, matching);
        expect(pages({ by, isDescending, text: "wanted" })).toEqual({
          ids: all,
          totals: new Set([matching.length]),
        });
        expect(pages({ by, isDescending, tags: { kind: "WANTED" } }).ids).toEqual(all);
      });
    }
  }

  test("counts and finds those of a state", () => {
    for (const state of ["finished", "unfinished"] as const) {
      const those = matching.filter(({ isFinished }) => isFinished === (state === "finished"));
      expect(those.length).toBeGreaterThan(100);
      const found = pages({ by: "created", isDescending: true, text: "wanted", state });
      expect(found).toEqual({ ids: inOrder("created", true, those), totals: new Set([those.length]) });
    }
  });

  test("compares words that many have with each stream, together and as a beginning", () => {
    const starting = streams.filter(({ title }) => title.startsWith("wanted 17"));
    for (const text of ["wanted 17", "wanted-17", "17 wanted"]) {
      const exact = text.startsWith("17") ? matching.filter(({ title }) => title === "wanted 17") : undefined;
      expect(found(text)).toEqual(inOrder("created", false, exact ?? starting));
    }
    expect(found("17-wanted")).toEqual([]);
    expect(found("wanted wan")).toEqual(inOrder("created", false, matching));
    expect(found("wanted other")).toEqual([]);
  });

  test("knows which words many streams have", () => {
    const statistics = new SearchStatistics(database);
    const isFrequent = (word: string, isPrefix = false) => statistics.isFrequent({ word, isPrefix });
    expect([isFrequent("wanted"), isFrequent("wan", true)]).toEqual([true, true]);
    expect([isFrequent("wan"), isFrequent("17"), isFrequent("no such", true)]).toEqual([false, false, false]);
  });

  test("looks into windows that grow, from where the page begins, and none at the end of the list", () => {
    const statistics = new SearchStatistics(database);
    const of = (query: Partial<StreamSearch>, total: number) =>
      [...searchWindows(statistics, { ...everything, limit: 70, ...query }, total)].map(
        ({ text, values }) => [text, values[0]!],
      );
    const ends = of({ by: "created" }, count);
    expect(ends.length).toBeGreaterThan(1);
    expect(ends.every(([text]) => text === "t.created_at <= ?")).toBe(true);
    const values = ends.map(([, value]) => Number(value));
    expect(values.toSorted((one, other) => one - other)).toEqual(values);
    const later = of({ by: "created", after: { value: 3_000, doc: 1 } }, count);
    expect(Number(later[0]![1])).toBeGreaterThan(3_000);
    expect(of({ by: "created", after: { value: 5_000, doc: 1 } }, count)).toEqual([]);
    expect(of({ by: "id", isDescending: true }, count)[0]![0]).toBe("t.id >= ?");
    expect(of({ by: "size" }, count)).toEqual([]);
  });
});
