/**
 * The search over streams. Columns of `streams` have what lists are sorted by, `search_texts` has the words and the tags.
 * How a page is found depends on what PostgreSQL knows of them:
 *
 *     few matches             an index finds them all, and they are sorted
 *     rare words or tags      their index and a window of the list are combined (search-windows.ts), and what is in both
 *                             is sorted; what the list is sorted by must be in the texts
 *     only frequent ones      PostgreSQL walks the list and keeps what matches
 */
import { maxCountedStreams } from "../../base/limits/streams.ts";
import type { SqlDatabase, SqlStatement, SqlValue } from "../sql/database.ts";
import type { StreamMetadata } from "../streams/metadata.ts";
import { type FoundStreams, isFiltered, type StreamSearch } from "../streams/search.ts";
import type { SearchIndex } from "../streams/sql/catalog.ts";
import {
  columns,
  type Conditions,
  conditionsOf,
  isFinished,
  isUnfinished,
  keysOf,
  startAfter,
  tagKey,
  textColumns,
} from "./search-conditions.ts";
import { type Sql, where } from "./search-sql.ts";
import { SearchStatistics } from "./search-statistics.ts";
import { searchWindows } from "./search-windows.ts";
import { toVector } from "./words.ts";

interface Match {
  doc: number;
  id: string;
  value: string | number;
}

/** Up to this many matches are found first and then sorted. */
const maxSortedMatches = 2_000;

export class PostgresSearch implements SearchIndex {
  readonly #database: SqlDatabase;
  readonly #describe: SqlStatement<never, [string, string, string]>;
  readonly #statistics: SearchStatistics;

  constructor(database: SqlDatabase) {
    this.#database = database;
    this.#statistics = new SearchStatistics(database);
    const keys = keysOf(database.dialect, "?2");
    this.#describe = database.prepare(`
      INSERT INTO search_texts (doc, id, created_at, words, tags)
      SELECT doc, id, created_at, CAST(?1 AS tsvector), ARRAY(${keys}) FROM streams WHERE id = ?3
      ON CONFLICT (doc) DO UPDATE SET words = excluded.words, tags = excluded.tags`);
  }

  describe(streamId: string, { tags }: StreamMetadata): void {
    const words = toVector([streamId, ...Object.values(tags)].join(" "));
    const keys = Object.entries(tags).map(([name, value]) => tagKey(name, value));
    this.#describe.run(words, JSON.stringify(keys), streamId);
  }

  /** A catalog in PostgreSQL has had its index from the beginning. */
  fill(): undefined {}

  find(query: StreamSearch, countAll: () => number): FoundStreams {
    const conditions = conditionsOf(query, this.#database.dialect, this.#statistics);
    if (conditions === undefined) return { streamIds: [], next: undefined, total: 0 };
    const total = isFiltered(query) ? this.#count(conditions) : countAll();
    if (total === 0) return { streamIds: [], next: undefined, total };
    const matches = this.#matches(query, conditions, total);
    const last = matches.length === query.limit ? matches.at(-1) : undefined;
    const next = last === undefined ? undefined : { value: last.value, doc: last.doc };
    return { streamIds: matches.map(({ id }) => id), next, total };
  }

  #count({ texts, streams }: Conditions): number {
    const others = streams.filter((each) => each !== isFinished);
    const isOfState = others.length < streams.length && others.length + texts.length > 0;
    if (!isOfState) return this.#number(countOf(texts, streams, maxCountedStreams));
    // Nearly all are finished, and those that are not are quickly found.
    const all = countOf(texts, others, 2 * maxCountedStreams);
    const unfinished = countOf(texts, [...others, isUnfinished], maxCountedStreams);
    const text = `${all.text} - ${unfinished.text}`;
    return Math.min(this.#number({ text, values: [...all.values, ...unfinished.values] }), maxCountedStreams);
  }

  #number({ text, values }: Sql): number {
    const statement = this.#database.prepare<{ count: number }, SqlValue[]>(`SELECT ${text} AS count`);
    return statement.get(...values)!.count;
  }

  #matches(query: StreamSearch, conditions: Conditions, total: number): Match[] {
    const isFew = isFiltered(query) && total <= maxSortedMatches;
    if (isFew || !conditions.isIndexed) return this.#page(query, conditions, isFew);
    for (const window of searchWindows(this.#statistics, query, total)) {
      const matches = this.#page(query, { ...conditions, texts: [...conditions.texts, window] }, true);
      if (matches.length === query.limit) return matches;
    }
    return this.#page(query, conditions, true);
  }

  #page(
    { by, isDescending, after, limit }: StreamSearch,
    conditions: Conditions,
    isSorted: boolean,
  ): Match[] {
    const { texts, streams } = conditions;
    const ofTexts = texts.length > 0 ? textColumns[by] : undefined;
    const column = ofTexts ?? columns[by];
    const table = column.slice(0, 1);
    const tables = tablesOf(texts, ofTexts === undefined || streams.length > 0);
    const start = after === undefined ? [] : [startAfter(after, column, isDescending)];
    const selected = `SELECT ${table}.doc, ${table}.id, ${column} AS value FROM ${tables}`;
    const { text, values } = where(selected, [...texts, ...streams, ...start]);
    const direction = isDescending ? "DESC" : "ASC";
    // OFFSET 0 keeps PostgreSQL from walking the index of the order for a few matches.
    const sql = isSorted
      ? `SELECT * FROM (${text} OFFSET 0) AS matches ORDER BY value ${direction}, doc ${direction} LIMIT ?`
      : `${text} ORDER BY ${column} ${direction}, ${table}.doc ${direction} LIMIT ?`;
    return this.#database.prepare<Match, SqlValue[]>(sql).all(...values, limit);
  }
}

/** What a statement has to read: a join of many rows costs more than the rows. */
function tablesOf(texts: readonly Sql[], needsStreams: boolean): string {
  if (texts.length === 0) return "streams s";
  return needsStreams ? "streams s JOIN search_texts t ON t.doc = s.doc" : "search_texts t";
}

/** A count that ends at the limit. It selects nothing, so that PostgreSQL needs the index of the words alone. */
function countOf(texts: readonly Sql[], streams: readonly Sql[], limit: number): Sql {
  const tables = tablesOf(texts, streams.length > 0);
  const { text, values } = where(`SELECT FROM ${tables}`, [...texts, ...streams]);
  return { text: `(SELECT count(*) FROM (${text} LIMIT ${limit}) AS matches)`, values };
}
