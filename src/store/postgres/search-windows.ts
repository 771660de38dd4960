/**
 * Parts of a sorted list in which enough matches of a search are expected. PostgreSQL combines the index of such a part
 * with that of the words, and reads few rows. Without it, it would walk the list until a page is full, or read and sort
 * all matches: with one match in 1,000 of 10,000,000 rows, 100,000 rows or 10,000 from as many pages.
 */
import { searchStatisticsMs } from "../../base/limits/postgres.ts";
import type { SqlDatabase, SqlStatement } from "../sql/database.ts";
import type { SortKey, StreamSearch } from "../streams/search.ts";
import { type Sql, textColumns } from "./search-conditions.ts";

type Bound = string | number;

interface Statistics {
  bounds: Bound[];
  readAtMs: number;
}

/** Matches are not spread evenly: a window is to have so many times those of a page. */
const spareFactor = 1.5;
/** How much longer the next window is if a page was not full. */
const growth = 4;

export class SearchWindows {
  readonly #bounds: SqlStatement<{ bounds: string | null }, [string]>;
  readonly #known = new Map<SortKey, Statistics>();

  constructor(database: SqlDatabase) {
    // What ANALYZE has found: each of these bounds has the same number of rows before the next one.
    this.#bounds = database.prepare(`
      SELECT CAST(array_to_json(CAST(CAST(histogram_bounds AS text) AS text[])) AS text) AS bounds
      FROM pg_stats WHERE schemaname = current_schema() AND tablename = 'search_texts' AND attname = ?`);
  }

  /** Conditions on `search_texts`, each for a longer window than the one before; `total` is that of the matches. */
  *of({ by, isDescending, after, limit }: StreamSearch, total: number): Generator<Sql> {
    const column = textColumns[by];
    const bounds = column === undefined ? [] : this.#boundsOf(by);
    if (bounds.length === 0) return;
    const steps = isDescending ? bounds.toReversed() : bounds;
    const isBehind = (bound: Bound) => (isDescending ? bound < after!.value : bound > after!.value);
    const first = after === undefined ? 0 : steps.findIndex(isBehind);
    if (first < 0) return;
    const needed = Math.ceil((spareFactor * limit * (bounds.length - 1)) / total);
    for (let length = needed; first + length < steps.length; length *= growth)
      yield { text: `${column} ${isDescending ? ">=" : "<="} ?`, values: [steps[first + length]!] };
  }

  #boundsOf(by: SortKey): Bound[] {
    const known = this.#known.get(by);
    const now = performance.now();
    if (known !== undefined && now - known.readAtMs < searchStatisticsMs) return known.bounds;
    const text = this.#bounds.get(by === "id" ? "id" : "created_at")?.bounds ?? "[]";
    const texts = JSON.parse(text) as string[];
    const bounds = by === "id" ? texts : texts.map(Number);
    this.#known.set(by, { bounds, readAtMs: now });
    return bounds;
  }
}
