/** What ANALYZE has found out about the texts of the streams. It is read again now and then. */
import { frequentShare, searchSampleRows, searchStatisticsMs } from "../../base/limits/postgres.ts";
import type { SqlDatabase, SqlStatement, SqlValue } from "../sql/database.ts";
import type { Sql } from "./search-sql.ts";
import type { Term } from "./words.ts";

export type Bound = string | number;

interface StatisticsRow {
  name: string;
  /** Each of these has the same number of rows before the next one. */
  bounds: string | null;
  /** The most frequent elements, and the share of rows that have each. More shares follow. */
  elements: string | null;
  shares: string | null;
  rows: number;
}

export class SearchStatistics {
  readonly #database: SqlDatabase;
  readonly #read: SqlStatement<StatisticsRow, []>;
  #columns = new Map<string, { bounds: string[]; shares: Map<string, number> }>();
  #rows = 0;
  #readAtMs = -Infinity;

  constructor(database: SqlDatabase) {
    this.#database = database;
    this.#read = database.prepare(`
      SELECT attname AS name, ${json("histogram_bounds")} AS bounds, ${json("most_common_elems")} AS elements,
        ${json("most_common_elem_freqs")} AS shares,
        (SELECT reltuples FROM pg_class WHERE oid = to_regclass('search_texts')) AS rows
      FROM pg_stats WHERE schemaname = current_schema() AND tablename = 'search_texts'`);
  }

  /** Values of a column of `search_texts` that divide its rows into parts of the same number; empty if unknown. */
  boundsOf(column: "id" | "created_at"): Bound[] {
    const bounds = this.#column(column)?.bounds ?? [];
    return column === "id" ? bounds : bounds.map(Number);
  }

  /** Many rows have the word, as far as is known: the index of the words would read them all. */
  isFrequent({ word, isPrefix }: Term): boolean {
    const shares = this.#column("words")?.shares ?? new Map<string, number>();
    if (!isPrefix) return (shares.get(word) ?? 0) >= frequentShare;
    let sum = 0;
    for (const [known, share] of shares) if (known.startsWith(word)) sum += share;
    return sum >= frequentShare;
  }

  /** The same of a key of a tag. */
  isFrequentTag(key: string): boolean {
    return (this.#column("tags")?.shares.get(key) ?? 0) >= frequentShare;
  }

  /** The same of a condition, which is compared with some rows. */
  isFrequentIn({ text, values }: Sql): boolean {
    const percent = this.#rows <= searchSampleRows ? 100 : (100 * searchSampleRows) / this.#rows;
    const sql = `SELECT count(*) AS count FROM search_texts t TABLESAMPLE SYSTEM (CAST(? AS real)) WHERE ${text}`;
    const sample = this.#database.prepare<{ count: number }, SqlValue[]>(sql);
    return sample.get(percent, ...values)!.count >= searchSampleRows * frequentShare;
  }

  #column(name: string) {
    const now = performance.now();
    if (now - this.#readAtMs >= searchStatisticsMs) {
      this.#readAtMs = now;
      this.#take(this.#read.all());
    }
    return this.#columns.get(name);
  }

  #take(all: StatisticsRow[]): void {
    this.#rows = all[0]?.rows ?? 0;
    const columns = all.map(({ name, bounds, elements, shares }) => {
      const each = listOf(shares);
      const entries = listOf(elements).map((element, index) => [element, Number(each[index])] as const);
      return [name, { bounds: listOf(bounds), shares: new Map(entries) }] as const;
    });
    this.#columns = new Map(columns);
  }
}

/** An expression for a column of any array type. */
function json(column: string): string {
  return `CAST(array_to_json(CAST(CAST(${column} AS text) AS text[])) AS text)`;
}

function listOf(json: string | null): string[] {
  return json === null ? [] : (JSON.parse(json) as string[]);
}
