/**
 * Parts of a sorted list in which enough matches of a search are expected. PostgreSQL combines the index of such a part
 * with that of the words, and reads few rows. Without it, it would walk the list until a page is full, or read and sort
 * all matches: with one match in 1,000 of 10,000,000 rows, 100,000 rows or 10,000 from as many pages.
 */
import type { StreamSearch } from "../streams/search.ts";
import { textColumns } from "./search-conditions.ts";
import type { Sql } from "./search-sql.ts";
import type { Bound, SearchStatistics } from "./search-statistics.ts";

/** Matches are not spread evenly: a window is to have so many times those of a page. */
const spareFactor = 1.5;
/** How much longer the next window is if a page was not full. */
const growth = 4;
/** A longer part of the list costs more than all matches. */
const maxShare = 0.1;

/** Conditions on `search_texts`, each for a longer window than the one before; `total` is that of the matches. */
export function* searchWindows(
  statistics: SearchStatistics,
  { by, isDescending, after, limit }: StreamSearch,
  total: number,
): Generator<Sql> {
  const column = textColumns[by];
  const bounds = column === undefined ? [] : statistics.boundsOf(by === "id" ? "id" : "created_at");
  if (bounds.length === 0) return;
  const steps = isDescending ? bounds.toReversed() : bounds;
  const isBehind = (bound: Bound) => (isDescending ? bound < after!.value : bound > after!.value);
  const first = after === undefined ? 0 : steps.findIndex(isBehind);
  if (first < 0) return;
  const needed = Math.ceil((spareFactor * limit * (bounds.length - 1)) / total);
  const end = Math.min(steps.length, first + maxShare * steps.length);
  for (let length = needed; first + length < end; length *= growth)
    yield { text: `${column} ${isDescending ? ">=" : "<="} ?`, values: [steps[first + length]!] };
}
