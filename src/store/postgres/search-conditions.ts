/** What a search asks for, as conditions of a statement. */
import type { Dialect, SqlValue } from "../sql/database.ts";
import type { SearchPosition, SortKey, StreamSearch } from "../streams/search.ts";
import { foldAscii, toQuery } from "./words.ts";

/** A part of a statement, with the values of its parameters. */
export interface Sql {
  text: string;
  values: SqlValue[];
}

export interface Conditions {
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
export function conditionsOf(query: StreamSearch, dialect: Dialect): Conditions | undefined {
  const { state, text, type, tags, from, to } = query;
  const texts: Sql[] = [];
  const streams: Sql[] = [];
  if (text !== undefined) {
    const words = toQuery(text);
    if (words === undefined) return undefined;
    texts.push({ text: "t.words @@ CAST(? AS tsquery)", values: [words] });
  }
  const keys = Object.entries(tags).map(([name, value]) => tagKey(name, value));
  if (keys.length > 0)
    texts.push({ text: `t.tags @> ARRAY(${keysOf(dialect, "?")})`, values: [JSON.stringify(keys)] });
  const [times, table] = texts.length > 0 ? [texts, "t"] : [streams, "s"];
  if (from !== undefined) times.push({ text: `${table}.created_at >= ?`, values: [from] });
  if (to !== undefined) times.push({ text: `${table}.created_at < ?`, values: [to] });
  if (type !== undefined) streams.push({ text: "s.type = ?", values: [foldAscii(type)] });
  if (state !== undefined) streams.push(state === "finished" ? isFinished : isUnfinished);
  return { texts, streams };
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

export function where(statement: string, conditions: readonly Sql[]): Sql {
  if (conditions.length === 0) return { text: statement, values: [] };
  return {
    text: `${statement} WHERE ${conditions.map(({ text }) => text).join(" AND ")}`,
    values: conditions.flatMap(({ values }) => values),
  };
}
