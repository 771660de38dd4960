/** The search over streams. */
import type { Database } from "bun:sqlite";
import { maxCountedStreams } from "../../../base/limits/streams.ts";
import {
  type FoundStreams,
  isFiltered,
  type SearchPosition,
  type SortKey,
  type StreamSearch,
} from "../search.ts";
import type { SearchIndex } from "../sql/catalog.ts";
import { fillStatement } from "./search-schema.ts";

type Value = string | number;

/** A part of a statement, with the values of its parameters. */
interface Sql {
  text: string;
  values: Value[];
}

interface Match {
  doc: number;
  id: string;
  value: Value;
}

/** Up to this many matches are sorted; with more, the index of the order is walked until a page is full. */
const maxSortedMatches = 2_000;

const columns: Record<SortKey, string> = {
  id: "id",
  created: "created_at",
  title: "title",
  size: "size",
  duration: "duration",
};

export class SqliteSearch implements SearchIndex {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  find(query: StreamSearch, countAll: () => number): FoundStreams {
    const filters = filtersOf(query);
    const total = isFiltered(query) ? this.#count(filters) : countAll();
    if (total === 0) return { streamIds: [], next: undefined, total };
    const matches = this.#page(query, filters, isFiltered(query) && total <= maxSortedMatches);
    const next = matches.length === query.limit ? positionOf(matches.at(-1)!) : undefined;
    return { streamIds: matches.map(({ id }) => id), next, total };
  }

  fill(after: string, limit: number): string | undefined {
    using last = this.#database.prepare<{ id: string | null }, [string, number]>(
      "SELECT max(id) AS id FROM (SELECT id FROM streams WHERE id > ? ORDER BY id LIMIT ?)",
    );
    const { id } = last.get(after, limit)!;
    if (id === null) return undefined;
    using fill = this.#database.prepare<never, [string, number]>(fillStatement);
    fill.run(after, limit);
    return id;
  }

  /** Triggers do that. */
  describe(): void {}

  #count(filters: Filters): number {
    const matches = where(...matchesOf(filters, "1"));
    const [match] = this.#all<{ count: number }>({
      text: `SELECT count(*) AS count FROM (${matches.text} LIMIT ${maxCountedStreams})`,
      values: matches.values,
    });
    return match!.count;
  }

  #page({ by, isDescending, after, limit }: StreamSearch, filters: Filters, isSorted: boolean): Match[] {
    const column = columns[by];
    const order = isDescending ? "DESC" : "ASC";
    // Without the unary plus, SQLite would walk the index of the order also for a few matches.
    const key = isSorted ? `+${column}` : column;
    const selected = `doc, id, ${column} AS value`;
    const [from, conditions] = isSorted ? matchesOf(filters, selected) : walkOf(filters, selected);
    const start = after === undefined ? [] : [startAfter(after, by === "id" ? undefined : key, isDescending)];
    const matches = where(from, [...conditions, ...start]);
    return this.#all<Match>({
      text: `${matches.text} ORDER BY ${key} ${order}, ${isSorted ? "+doc" : "doc"} ${order} LIMIT ?`,
      values: [...matches.values, limit],
    });
  }

  /** The statement is finalized at once: there are many, and an open one would keep the file locked. */
  #all<R>({ text, values }: Sql): R[] {
    using statement = this.#database.prepare<R, Value[]>(text);
    return statement.all(...values);
  }
}

interface Filters {
  /** A query of the full text. */
  words: string | undefined;
  facets: Facet[];
  /** Each is a condition on a row of `search_streams`. */
  rows: Sql[];
}

interface Facet {
  name: string;
  value: string;
}

function filtersOf({ state, text, type, tags, from, to }: StreamSearch): Filters {
  const facets = Object.entries(tags).map(([key, value]) => ({ name: `tag.${key}`, value }));
  if (type !== undefined) facets.push({ name: "type", value: type });
  const rows: Sql[] = [];
  if (state !== undefined) rows.push({ text: state === "finished" ? "state = 2" : "state < 2", values: [] });
  if (from !== undefined) rows.push({ text: "created_at >= ?", values: [from] });
  if (to !== undefined) rows.push({ text: "created_at < ?", values: [to] });
  return { words: text === undefined ? undefined : wordsOf(text), facets, rows };
}

/** Quoted, so that no word is taken for syntax; every word must be there, the last one as a prefix. */
function wordsOf(text: string): string {
  // oxlint-disable-next-line no-control-regex
  const words = text.split(/[\s\u0000]+/).filter((word) => word !== "");
  const quoted = words.map((word) => `"${word.replaceAll('"', '""')}"`);
  return quoted.length === 0 ? '""' : `${quoted.join(" ")}*`;
}

/** Reads the matches of the words, or else of the first facet, and looks each one up. */
function matchesOf({ words, facets, rows }: Filters, selected: string): [string, Sql[]] {
  const select = (source: string) => `SELECT ${selected} FROM ${source} search_streams`;
  if (words !== undefined) {
    const match = { text: "search_words MATCH ? AND doc = search_words.rowid", values: [words] };
    return [select("search_words CROSS JOIN"), [match, ...facets.map(hasFacet), ...rows]];
  }
  const [first, ...others] = facets;
  if (first === undefined) return [select(""), rows];
  const match = { text: "facet.name = ? AND facet.value = ?", values: [first.name, first.value] };
  const source = "(SELECT name, value, doc AS facet_doc FROM search_facets) AS facet CROSS JOIN";
  const joined = { text: "doc = facet_doc", values: [] };
  return [select(source), [match, joined, ...others.map(hasFacet), ...rows]];
}

/** Reads the streams in their order, and keeps those that match. */
function walkOf({ words, facets, rows }: Filters, selected: string): [string, Sql[]] {
  const conditions = [...facets.map(hasFacet), ...rows];
  if (words !== undefined) {
    const set = "SELECT rowid FROM search_words WHERE search_words MATCH ?";
    // Without the unary plus, SQLite would look the matches up and sort them.
    conditions.unshift({ text: `+doc IN (${set})`, values: [words] });
  }
  return [`SELECT ${selected} FROM search_streams`, conditions];
}

function hasFacet({ name, value }: Facet): Sql {
  const text =
    "EXISTS (SELECT 1 FROM search_facets AS f WHERE f.name = ? AND f.value = ? AND f.doc = search_streams.doc)";
  return { text, values: [name, value] };
}

/** Without a key the order is that of the ids, where each value is there once. */
function startAfter({ value, doc }: SearchPosition, key: string | undefined, isDescending: boolean): Sql {
  const direction = isDescending ? "<" : ">";
  if (key === undefined) return { text: `id ${direction} ?`, values: [value] };
  return { text: `(${key}, doc) ${direction} (?, ?)`, values: [value, doc] };
}

function where(statement: string, conditions: Sql[]): Sql {
  if (conditions.length === 0) return { text: statement, values: [] };
  return {
    text: `${statement} WHERE ${conditions.map(({ text }) => text).join(" AND ")}`,
    values: conditions.flatMap(({ values }) => values),
  };
}

function positionOf({ value, doc }: Match): SearchPosition {
  return { value, doc };
}
