/** What a search asks for, as conditions of a statement. */
import type { Dialect } from "../sql/database.ts";
import type { SearchPosition, SortKey, StreamSearch } from "../streams/search.ts";
import type { Sql } from "./search-sql.ts";
import type { SearchStatistics } from "./search-statistics.ts";
import { foldAscii, partsOf, toLooseQuery, toQuery } from "./words.ts";

export interface Conditions {
  /** Few streams are expected to match, and an index of words or tags finds them. */
  isIndexed: boolean;
  /** On `search_texts`, as `t`: words, tags, and what else that table has if it is read anyway. */
  texts: Sql[];
  /** On `streams`, as `s`. */
  streams: Sql[];
}

export const columns: Record<SortKey, string> = {
  id: "s.id",
  created: "s.created_at",
  title: "s.title",
  size: "s.size",
  duration: "s.duration",
};

/** What `search_texts` has of them. */
export const textColumns: Partial<Record<SortKey, string>> = { id: "t.id", created: "t.created_at" };

export const isFinished: Sql = { text: "s.state = 2", values: [] };
/** As the index `streams_by_key` has it, which is short. */
export const isUnfinished: Sql = { text: "s.state < 2", values: [] };

/** Undefined if nothing can match. */
export function conditionsOf(
  query: StreamSearch,
  dialect: Dialect,
  statistics: SearchStatistics,
): Conditions | undefined {
  const { state, text, type, tags, from, to } = query;
  if (text !== undefined && partsOf(text).length === 0) return undefined;
  const words = text === undefined ? none : wordConditions(text, statistics);
  const keys = Object.entries(tags).map(([name, value]) => tagKey(name, value));
  const tagged = keys.length === 0 ? none : tagConditions(keys, dialect, statistics);
  const texts = [...words.all, ...tagged.all];
  const streams: Sql[] = [];
  const [times, table] = texts.length > 0 ? [texts, "t"] : [streams, "s"];
  if (from !== undefined) times.push({ text: `${table}.created_at >= ?`, values: [from] });
  if (to !== undefined) times.push({ text: `${table}.created_at < ?`, values: [to] });
  if (type !== undefined) streams.push({ text: "s.type = ?", values: [foldAscii(type)] });
  if (state !== undefined) streams.push(state === "finished" ? isFinished : isUnfinished);
  return { isIndexed: words.isIndexed || tagged.isIndexed, texts, streams };
}

interface TextConditions {
  isIndexed: boolean;
  all: Sql[];
}

const none: TextConditions = { isIndexed: false, all: [] };

/**
 * The index is asked for words that few streams have: of the others it would read all streams that have them. A function
 * compares those, stream by stream; the operator would use the index.
 */
function wordConditions(text: string, statistics: SearchStatistics): TextConditions {
  const parts = partsOf(text);
  const terms = parts.flat();
  const whole = toQuery(parts);
  const compared = { text: "ts_match_vq(t.words, CAST(? AS tsquery))", values: [whole] };
  const rare = terms.filter((term) => !statistics.isFrequent(term));
  if (rare.length === terms.length) return { isIndexed: true, all: [indexed(whole)] };
  if (rare.length > 0) return { isIndexed: true, all: [indexed(toLooseQuery(rare)), compared] };
  if (terms.length === 1 || statistics.isFrequentIn(compared)) return { isIndexed: false, all: [compared] };
  return { isIndexed: true, all: [indexed(whole)] };
}

function indexed(query: string): Sql {
  return { text: "t.words @@ CAST(? AS tsquery)", values: [query] };
}

/** As those of words. */
function tagConditions(keys: string[], dialect: Dialect, statistics: SearchStatistics): TextConditions {
  const wanted = `ARRAY(${keysOf(dialect, "?")})`;
  const compared = { text: `arraycontains(t.tags, ${wanted})`, values: [JSON.stringify(keys)] };
  const rare = keys.filter((key) => !statistics.isFrequentTag(key));
  if (rare.length === 0 && (keys.length === 1 || statistics.isFrequentIn(compared)))
    return { isIndexed: false, all: [compared] };
  const asked = rare.length === 0 ? keys : rare;
  const indexed = { text: `t.tags @> ${wanted}`, values: [JSON.stringify(asked)] };
  return { isIndexed: true, all: asked.length === keys.length ? [indexed] : [indexed, compared] };
}

/** Each id is there once, so it needs no second key. */
export function startAfter({ value, doc }: SearchPosition, column: string, isDescending: boolean): Sql {
  const direction = isDescending ? "<" : ">";
  if (column.endsWith(".id")) return { text: `${column} ${direction} ?`, values: [value] };
  const table = column.slice(0, column.indexOf("."));
  return { text: `(${column}, ${table}.doc) ${direction} (?, ?)`, values: [value, doc] };
}

/**
 * A tag in the index of the search: 64 bits of a digest of its name and value. Two of a billion tags have the same with a
 * probability of 3 %; then a search for one of them finds the other, too.
 */
export function tagKey(name: string, value: string): string {
  const digest = new Bun.CryptoHasher("md5").update(JSON.stringify([name, foldAscii(value)])).digest();
  return digest.readBigInt64BE().toString();
}

/** A statement with the keys of a JSON array as rows. */
export function keysOf({ textsOf }: Dialect, parameter: string): string {
  return `SELECT CAST(value AS bigint) FROM (${textsOf(parameter)}) AS keys`;
}
