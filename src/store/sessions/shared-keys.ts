/** Keys that all nodes of a catalog share. The first node that needs one enters it, and it stays. */
import type { SqlDatabase } from "../sql/database.ts";

export const sharedKeySchema = `
  CREATE TABLE shared_keys (
    name TEXT NOT NULL PRIMARY KEY,
    key  TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

export class SharedKeys {
  readonly #statements: ReturnType<typeof prepareStatements>;

  /** Expects a database with the current schema. */
  constructor(database: SqlDatabase) {
    this.#statements = prepareStatements(database);
  }

  /** The key with this name, which is `candidate` if there was none. */
  keep(name: string, candidate: string): string {
    this.#statements.enter.run(name, candidate);
    return this.#statements.find.get(name)!.key;
  }
}

function prepareStatements(database: SqlDatabase) {
  return {
    enter: database.prepare<never, [string, string]>(
      "INSERT INTO shared_keys (name, key) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
    ),
    find: database.prepare<{ key: string }, [string]>("SELECT key FROM shared_keys WHERE name = ?"),
  };
}
