/** The catalog in one SQLite file, in WAL mode, with one connection that locks the file exclusively. */
import { Database } from "bun:sqlite";
import { systemCode, toWavecacheError, WavecacheError } from "../../../base/errors.ts";
import { catalogCacheBytes } from "../../../base/limits/streams.ts";
import { KiB } from "../../../base/limits/units.ts";
import { sqliteDialect, SqliteDatabase } from "../../sql/sqlite.ts";
import { nothingAbandoned } from "../../nodes/abandoned.ts";
import { noTasks } from "../../nodes/tasks.ts";
import { SqlCatalog } from "../sql/catalog.ts";
import { type EngineQueries, rowColumns } from "../sql/statements.ts";
import { migrate } from "./schema.ts";
import { SqliteSearch } from "./search.ts";
import { baseName, nameTag } from "./stream-names.ts";

const columns = rowColumns(sqliteDialect);
const queries: EngineQueries = {
  named: `
    SELECT ${columns} FROM streams INDEXED BY streams_by_name
    WHERE metadata IS NOT NULL AND ${baseName} = ?1 AND (?2 = ?1 OR ${nameTag} = ?2) LIMIT 2`,
  undescribed: `
    SELECT ${columns} FROM search_streams INDEXED BY search_undescribed CROSS JOIN streams USING (id)
    WHERE is_described = 0 AND search_streams.state = 2 ORDER BY doc DESC LIMIT ?`,
};

export class SqliteCatalog extends SqlCatalog {
  readonly isNew: boolean;
  readonly isShared = false;
  readonly tasks = noTasks;
  readonly abandoned = nothingAbandoned;
  readonly #database: Database;
  readonly #sql: SqliteDatabase;
  readonly #onFault: (error: unknown) => void;
  #durable = true;

  /**
   * Opens or creates the catalog at `path`; ":memory:" keeps it in memory. `onFault` is called if the disk fails in a
   * transaction, after which the connection must not be used any more (rescue.ts).
   */
  constructor(
    path: string,
    monotonicMs: () => number = () => performance.now(),
    onFault: (error: unknown) => void = () => {},
  ) {
    const { database, isNew } = openDatabase(path);
    const sql = new SqliteDatabase(database);
    super(sql, queries, new SqliteSearch(database), monotonicMs);
    this.isNew = isNew;
    this.#database = database;
    this.#sql = sql;
    this.#onFault = onFault;
  }

  transaction<T>(change: () => T, durable: boolean): T {
    try {
      this.#setDurable(durable);
      return this.#database.transaction(() => {
        const result = change();
        this.saveRunningTimeIfDue();
        return result;
      })();
    } catch (error) {
      if (isDiskFault(error)) this.#onFault(error);
      throw error;
    }
  }

  close(): void {
    this.#tryToSaveRunningTime();
    this.abandon();
  }

  abandon(): void {
    this.#sql.close();
  }

  /** On a full disk the time since the last save does not count. */
  #tryToSaveRunningTime(): void {
    try {
      this.saveRunningTime();
    } catch (error) {
      if (toWavecacheError(error).code !== "DISK_FULL") throw error;
    }
  }

  /** A file has one node. */
  lock(): void {}

  takeOver(): boolean {
    return false;
  }

  #setDurable(durable: boolean): void {
    if (this.#durable === durable) return;
    this.#database.run(`PRAGMA synchronous = ${durable ? "FULL" : "NORMAL"}`);
    this.#durable = durable;
  }
}

/** A full disk is none: SQLite rolls that back, and continues. */
function isDiskFault(error: unknown): boolean {
  return /^SQLITE_(?:IOERR|CORRUPT|NOTADB)/.test(systemCode(error) ?? "");
}

function openDatabase(path: string): { database: Database; isNew: boolean } {
  const database = new Database(path, { create: true, strict: true });
  try {
    // One connection locks the file until the process ends: a second server on the same folder fails to start.
    database.run("PRAGMA locking_mode = EXCLUSIVE");
    database.run("PRAGMA journal_mode = WAL");
    database.run("PRAGMA synchronous = FULL");
    database.run(`PRAGMA cache_size = -${catalogCacheBytes / KiB}`);
    // Has an effect on macOS only, where a plain fsync does not reach the disk.
    database.run("PRAGMA fullfsync = ON");
    return { database, isNew: migrate(database, path) };
  } catch (error) {
    database.close();
    throw openError(error, path);
  }
}

function openError(error: unknown, path: string): unknown {
  switch (systemCode(error)) {
    case "SQLITE_BUSY":
      return new WavecacheError("STORE_IN_USE", path);
    case "SQLITE_NOTADB":
    case "SQLITE_CORRUPT":
      return new WavecacheError("CATALOG_LOST", path);
    default:
      return error;
  }
}
