/**
 * What catalogs need of a database. One text of a statement serves SQLite and PostgreSQL; `Dialect` has the few words that
 * they spell differently. Parameters are `?`, or `?1`, `?2` where one is used twice.
 */

export type SqlValue = string | number | null | Uint8Array;

export interface Changes {
  /** Rows. Over a network, reading it waits for the statement, and leaving it unread lets the statement wait for the next. */
  readonly changes: number;
}

export interface SqlStatement<R, P extends SqlValue[]> {
  get(...values: P): R | null;
  all(...values: P): R[];
  run(...values: P): Changes;
}

export interface SqlDatabase {
  readonly dialect: Dialect;
  prepare<R, P extends SqlValue[]>(sql: string): SqlStatement<R, P>;
  /** A change that happens right before the commit, as others wait for what it locks. Nothing reads it before. */
  prepareLast<P extends SqlValue[]>(sql: string): { run(...values: P): void };
}

export interface Dialect {
  readonly engine: "sqlite" | "postgres";
  /** The id of this node, if others write to the database too. */
  readonly node: string | undefined;
  /** The functions that choose among their arguments. */
  readonly greatest: string;
  readonly least: string;
  /**
   * A condition: the row belongs to this node. Several nodes share a PostgreSQL catalog, a SQLite catalog has one.
   * `table` qualifies the column.
   */
  own(table?: string): string;
  /** The column that such rows have in their primary key; its default is this node. */
  readonly nodeKey: readonly string[];
  /** A condition: rows of two tables belong to the same node. */
  sameNode(table: string, other: string): string;
  /** An expression: milliseconds for which the node of this id keeps its lease; null if there is no such node. */
  leaseMs(id: string): string;
  /** Forces an index, where the planner would not see that it must be used. */
  indexedBy(index: string): string;
  /** A query of the texts of a JSON array. */
  textsOf(parameter: string): string;
}

/** Which node has what a row is about, if that is another one. */
export function otherNode({ node: own }: Dialect, { node }: { node?: string }): { otherNode?: string } {
  return node === undefined || node === own ? {} : { otherNode: node };
}

/**
 * Inserts a row, or replaces the one with the same `keys`. The values are the columns' in their order. `nodeKey` is that of
 * the dialect, for rows that belong to a node.
 */
export function upsert(
  table: string,
  keys: readonly string[],
  others: readonly string[],
  nodeKey: readonly string[] = [],
): string {
  const columns = [...keys, ...others];
  const changes = others.map((column) => `${column} = excluded.${column}`);
  return `INSERT INTO ${table} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})
    ON CONFLICT (${[...nodeKey, ...keys].join(", ")}) DO UPDATE SET ${changes.join(", ")}`;
}
