/** The search over streams. Columns of `streams` have what lists are sorted by, `search_texts` has the words and the tags. */
import { maxCountedStreams } from "../../base/limits/streams.ts";
import type { Dialect, SqlDatabase, SqlStatement, SqlValue } from "../sql/database.ts";
import type { StreamMetadata } from "../streams/metadata.ts";
import {
  type FoundStreams,
  isFiltered,
  type SearchPosition,
  type SortKey,
  type StreamSearch,
} from "../streams/search.ts";
import type { SearchIndex } from "../streams/sql/catalog.ts";
import { foldAscii, toQuery, toVector } from "./words.ts";

interface Condition {
  text: string;
  values: SqlValue[];
}

interface Match {
  doc: number;
  id: string;
  value: string | number;
}

/** Up to this many matches are found first and then sorted; with more, PostgreSQL may walk the index of the order. */
const maxSortedMatches = 2_000;

const columns: Record<SortKey, string> = {
  id: "s.id",
  created: "s.created_at",
  title: "s.title",
  size: "s.size",
  duration: "s.duration",
};

export class PostgresSearch implements SearchIndex {
  readonly #database: SqlDatabase;
  readonly #describe: SqlStatement<never, [string, string, string]>;

  constructor(database: SqlDatabase) {
    this.#database = database;
    this.#describe = database.prepare(`
      INSERT INTO search_texts (doc, words, tags)
      SELECT doc, CAST(?1 AS tsvector), ARRAY(${database.dialect.textsOf("?2")}) FROM streams WHERE id = ?3
      ON CONFLICT (doc) DO UPDATE SET words = excluded.words, tags = excluded.tags`);
  }

  describe(streamId: string, { tags }: StreamMetadata): void {
    const words = toVector([streamId, ...Object.values(tags)].join(" "));
    const keys = Object.entries(tags).map(([name, value]) => tagKey(name, value));
    this.#describe.run(words, JSON.stringify(keys), streamId);
  }

  /** A catalog in PostgreSQL has had its index from the beginning. */
  fill(): undefined {}

  find(query: StreamSearch, counted: number): FoundStreams {
    const conditions = conditionsOf(query, this.#database.dialect);
    if (conditions === undefined) return { streamIds: [], next: undefined, total: 0 };
    const total = isFiltered(query) ? this.#count(conditions) : counted;
    if (total === 0) return { streamIds: [], next: undefined, total };
    const matches = this.#page(query, conditions, isFiltered(query) && total <= maxSortedMatches);
    const last = matches.length === query.limit ? matches.at(-1) : undefined;
    const next = last === undefined ? undefined : { value: last.value, doc: last.doc };
    return { streamIds: matches.map(({ id }) => id), next, total };
  }

  #count(conditions: Condition[]): number {
    const { text, values } = where(`SELECT 1 FROM ${tablesOf(conditions)}`, conditions);
    const sql = `SELECT count(*) AS count FROM (${text} LIMIT ${maxCountedStreams}) AS matches`;
    return this.#database.prepare<{ count: number }, SqlValue[]>(sql).get(...values)!.count;
  }

  #page(query: StreamSearch, conditions: Condition[], isSorted: boolean): Match[] {
    const { by, isDescending, after, limit } = query;
    const start = after === undefined ? [] : [startAfter(after, by, isDescending)];
    const tables = conditions.some(isOfTexts) ? joined : "streams s";
    const selected = `SELECT s.doc, s.id, ${columns[by]} AS value FROM ${tables}`;
    const { text, values } = where(selected, [...conditions, ...start]);
    const direction = isDescending ? "DESC" : "ASC";
    // OFFSET 0 keeps PostgreSQL from walking the index of the order for a few matches.
    const sql = isSorted
      ? `SELECT * FROM (${text} OFFSET 0) AS matches ORDER BY value ${direction}, doc ${direction} LIMIT ?`
      : `${text} ORDER BY ${columns[by]} ${direction}, s.doc ${direction} LIMIT ?`;
    return this.#database.prepare<Match, SqlValue[]>(sql).all(...values, limit);
  }
}

const joined = "streams s JOIN search_texts t ON t.doc = s.doc";

function isOfTexts({ text }: Condition): boolean {
  return text.startsWith("t.");
}

/** What a count has to read: a join of many rows costs more than the rows. */
function tablesOf(conditions: readonly Condition[]): string {
  if (conditions.every(isOfTexts)) return "search_texts t";
  return conditions.some(isOfTexts) ? joined : "streams s";
}

/** Undefined if nothing can match. */
function conditionsOf(
  { state, text, type, tags, from, to }: StreamSearch,
  { textsOf }: Dialect,
): Condition[] | undefined {
  const conditions: Condition[] = [];
  const add = (condition: string, ...values: SqlValue[]) => conditions.push({ text: condition, values });
  if (text !== undefined) {
    const query = toQuery(text);
    if (query === undefined) return undefined;
    add("t.words @@ CAST(? AS tsquery)", query);
  }
  const keys = Object.entries(tags).map(([name, value]) => tagKey(name, value));
  if (keys.length > 0) add(`t.tags @> ARRAY(${textsOf("?")})`, JSON.stringify(keys));
  if (type !== undefined) add("s.type = ?", foldAscii(type));
  if (state !== undefined) add(state === "finished" ? "s.state = 2" : "s.state < 2");
  if (from !== undefined) add("s.created_at >= ?", from);
  if (to !== undefined) add("s.created_at < ?", to);
  return conditions;
}

/** Each id is there once, so it needs no second key. */
function startAfter({ value, doc }: SearchPosition, by: SortKey, isDescending: boolean): Condition {
  const direction = isDescending ? "<" : ">";
  if (by === "id") return { text: `s.id ${direction} ?`, values: [value] };
  return { text: `(${columns[by]}, s.doc) ${direction} (?, ?)`, values: [value, doc] };
}

/** A tag in the index of the search: an index of PostgreSQL takes no long values. */
function tagKey(name: string, value: string): string {
  return new Bun.CryptoHasher("md5").update(JSON.stringify([name, foldAscii(value)])).digest("hex");
}

function where(statement: string, conditions: Condition[]): Condition {
  if (conditions.length === 0) return { text: statement, values: [] };
  return {
    text: `${statement} WHERE ${conditions.map(({ text }) => text).join(" AND ")}`,
    values: conditions.flatMap(({ values }) => values),
  };
}
