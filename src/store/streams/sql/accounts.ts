/** The accounts of streams in the catalog. */
import type { AccountCatalog } from "../accounts.ts";
import type { SqlDatabase } from "../../sql/database.ts";

/** A row is inserted without an account, so only updates and removals change what accounts have. */
export const accountSchema = `
  ALTER TABLE streams ADD COLUMN account TEXT;
  CREATE TABLE stored_bytes (account TEXT NOT NULL PRIMARY KEY, bytes INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TRIGGER accounts_updated AFTER UPDATE OF account, size ON streams
  WHEN OLD.account IS NOT NULL OR NEW.account IS NOT NULL
  BEGIN
    UPDATE stored_bytes SET bytes = bytes - OLD.size WHERE account = OLD.account;
    INSERT INTO stored_bytes SELECT NEW.account, NEW.size WHERE NEW.account IS NOT NULL
      ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes;
  END;
  CREATE TRIGGER accounts_deleted AFTER DELETE ON streams WHEN OLD.account IS NOT NULL BEGIN
    UPDATE stored_bytes SET bytes = bytes - OLD.size WHERE account = OLD.account;
  END;
`;

export class SqlAccounts implements AccountCatalog {
  readonly #statements: ReturnType<typeof prepareStatements>;

  /** Expects a database with the current schema. */
  constructor(database: SqlDatabase) {
    this.#statements = prepareStatements(database);
  }

  set(streamId: string, account: string | null): void {
    this.#statements.set.run(account, streamId);
  }

  storedBytes(account: string, exceptStreamIds: readonly string[]): number {
    const all = this.#statements.stored.get(account)!.bytes;
    if (exceptStreamIds.length === 0) return all;
    return all - this.#statements.sizes.get(account, JSON.stringify(exceptStreamIds))!.bytes;
  }
}

function prepareStatements(database: SqlDatabase) {
  return {
    set: database.prepare<never, [string | null, string]>("UPDATE streams SET account = ? WHERE id = ?"),
    stored: database.prepare<{ bytes: number }, [string]>(
      "SELECT coalesce(sum(bytes), 0) AS bytes FROM stored_bytes WHERE account = ?",
    ),
    sizes: database.prepare<{ bytes: number }, [string, string]>(
      `SELECT coalesce(sum(size), 0) AS bytes FROM streams
       WHERE id IN (${database.dialect.textsOf("?2")}) AND account = ?1`,
    ),
  };
}
