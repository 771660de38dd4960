/** SQLite as catalogs see it. */
import type { Database } from "bun:sqlite";
import type { Dialect, SqlDatabase, SqlStatement, SqlValue } from "./database.ts";

export const sqliteDialect: Dialect = {
  engine: "sqlite",
  node: undefined,
  greatest: "max",
  least: "min",
  own: () => "1",
  nodeKey: [],
  sameNode: () => "1",
  // One process has the file, so the owner of a row is this one.
  leaseMs: (id) => `CASE WHEN ${id} IS NULL THEN NULL ELSE ${Number.MAX_SAFE_INTEGER} END`,
  indexedBy: (index) => `INDEXED BY ${index}`,
  textsOf: (parameter) => `SELECT value FROM json_each(${parameter})`,
};

export class SqliteDatabase implements SqlDatabase {
  readonly dialect = sqliteDialect;
  readonly #database: Database;
  readonly #statements: { finalize(): void }[] = [];

  constructor(database: Database) {
    this.#database = database;
  }

  prepare<R, P extends SqlValue[]>(sql: string): SqlStatement<R, P> {
    const statement = this.#database.prepare<R, SqlValue[]>(sql);
    this.#statements.push(statement);
    return statement as SqlStatement<R, SqlValue[]>;
  }

  prepareLast<P extends SqlValue[]>(sql: string): { run(...values: P): void } {
    return this.prepare<never, P>(sql);
  }

  /** Finalizes every statement first: open ones would keep the file locked. */
  close(): void {
    for (const statement of this.#statements) statement.finalize();
    this.#database.close();
  }
}
