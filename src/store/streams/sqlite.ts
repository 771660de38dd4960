/** The catalog in one SQLite file, in WAL mode, with one connection that locks the file exclusively. */
import { Database } from "bun:sqlite";
import type { Boot } from "../../base/boot.ts";
import { systemCode, WavecacheError } from "../../base/errors.ts";
import type { Catalog, ListQuery, SealedStream, StreamRow, StreamState, Totals } from "./catalog.ts";
import { deviceSchema, SqliteDevices } from "../devices/sqlite.ts";
import { recordingSchema, SqliteRecordings } from "../recordings/sqlite.ts";
import { metadataFromJson, metadataToJson, noMetadata, type StreamMetadata } from "./metadata.ts";

const streamSchema = `
  CREATE TABLE streams (
    id          TEXT    NOT NULL PRIMARY KEY,
    state       INTEGER NOT NULL,
    key         TEXT    NOT NULL,
    size        INTEGER NOT NULL,
    sha256      TEXT,
    format      TEXT,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    finished_at INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX streams_by_object ON streams (sha256) WHERE sha256 IS NOT NULL;
  CREATE INDEX streams_unfinished ON streams (updated_at) WHERE state = 0;
`;

const metadataColumn = "ALTER TABLE streams ADD COLUMN metadata TEXT";

/** Older rows start with `durable = size`: their size is that of the last checkpoint or interruption. */
const durableColumn = `
  ALTER TABLE streams ADD COLUMN durable INTEGER NOT NULL DEFAULT 0;
  UPDATE streams SET durable = size;
  CREATE TABLE boots (one INTEGER NOT NULL PRIMARY KEY, id TEXT, started_at INTEGER NOT NULL) STRICT;
`;

/** The migration of each schema version; a file's version is the number of migrations applied to it. */
const migrations = [streamSchema, recordingSchema, deviceSchema, metadataColumn, durableColumn];

const stateNumbers: Record<StreamState, number> = { unfinished: 0, sealed: 1, finished: 2 };
const stateNames: StreamState[] = ["unfinished", "sealed", "finished"];

interface SqlRow {
  id: string;
  state: number;
  key: string;
  size: number;
  durable: number;
  sha256: string | null;
  format: string | null;
  metadata: string | null;
  created_at: number;
  updated_at: number;
  finished_at: number | null;
}

export class SqliteCatalog implements Catalog {
  readonly #database: Database;
  readonly #statements: ReturnType<typeof prepareStatements>;
  /** In the same file, so that they take part in the same transactions. */
  readonly recordings: SqliteRecordings;
  readonly devices: SqliteDevices;
  #durable = true;

  /** Opens or creates the catalog at `path`; ":memory:" keeps it in memory. */
  constructor(path: string) {
    this.#database = openDatabase(path);
    this.#statements = prepareStatements(this.#database);
    this.recordings = new SqliteRecordings(this.#database);
    this.devices = new SqliteDevices(this.#database);
  }

  find(streamId: string): StreamRow | undefined {
    const row = this.#statements.find.get(streamId);
    return row === null ? undefined : toRow(row);
  }

  reserve(streamId: string, key: string, at: number, metadata: StreamMetadata = noMetadata): boolean {
    return this.#statements.reserve.run(streamId, key, metadataToJson(metadata), at, at).changes === 1;
  }

  touch(streamId: string, size: number, at: number): void {
    this.#statements.touch.run(size, at, streamId);
  }

  markDurable(streamId: string, key: string, bytes: number): void {
    this.#statements.markDurable.run(bytes, streamId, key);
  }

  seal(stream: SealedStream, at: number): void {
    const { size, sha256, format, streamId } = stream;
    this.#statements.seal.run(size, size, sha256, format, at, streamId);
  }

  unseal(streamId: string, size: number, at: number): void {
    this.#statements.unseal.run(size, at, streamId);
  }

  finish(streamId: string, at: number): void {
    this.#statements.finish.run(at, at, streamId);
  }

  remove(streamId: string): void {
    this.#statements.remove.run(streamId);
  }

  hasObject(sha256: string, exceptStreamId: string): boolean {
    return this.#statements.hasObject.get(sha256, exceptStreamId) !== null;
  }

  list(query: ListQuery): StreamRow[] {
    const low = query.state === "finished" ? stateNumbers.finished : stateNumbers.unfinished;
    const high = query.state === "unfinished" ? stateNumbers.sealed : stateNumbers.finished;
    return this.#statements.list.all(query.after, low, high, query.limit).map(toRow);
  }

  untouchedSince(time: number): StreamRow[] {
    return this.#statements.untouched.all(time).map(toRow);
  }

  totals(): Totals {
    return this.#statements.totals.get()!;
  }

  rows(): StreamRow[] {
    return this.#statements.rows.all().map(toRow);
  }

  boot(): Boot | undefined {
    const row = this.#statements.boot.get();
    return row === null ? undefined : { id: row.id, startedAt: row.started_at };
  }

  setBoot({ id, startedAt }: Boot): void {
    this.#statements.setBoot.run(id, startedAt);
  }

  transaction<T>(change: () => T, durable: boolean): T {
    this.#setDurable(durable);
    return this.#database.transaction(change)();
  }

  /** Finalizes every statement first: a connection with open statements would keep the file locked. */
  close(): void {
    for (const statement of Object.values(this.#statements)) statement.finalize();
    this.recordings.close();
    this.devices.close();
    this.#database.close();
  }

  #setDurable(durable: boolean): void {
    if (this.#durable === durable) return;
    this.#database.run(`PRAGMA synchronous = ${durable ? "FULL" : "NORMAL"}`);
    this.#durable = durable;
  }
}

function openDatabase(path: string): Database {
  const database = new Database(path, { create: true, strict: true });
  try {
    // One connection locks the file until the process ends: a second server on the same folder fails to start.
    database.run("PRAGMA locking_mode = EXCLUSIVE");
    database.run("PRAGMA journal_mode = WAL");
    database.run("PRAGMA synchronous = FULL");
    // Has an effect on macOS only, where a plain fsync does not reach the disk.
    database.run("PRAGMA fullfsync = ON");
    migrate(database, path);
    return database;
  } catch (error) {
    database.close();
    if (systemCode(error) !== "SQLITE_BUSY") throw error;
    throw new WavecacheError("STORE_IN_USE", path);
  }
}

function migrate(database: Database, path: string): void {
  database.transaction(() => {
    const found = database.query<{ user_version: number }, []>("PRAGMA user_version").get()!.user_version;
    if (found > migrations.length) {
      throw new WavecacheError("STORE_TOO_NEW", `${path} (schema ${found})`);
    }
    for (const migration of migrations.slice(found)) database.run(migration);
    database.run(`PRAGMA user_version = ${migrations.length}`);
  })();
}

function prepareStatements(database: Database) {
  const one = <R, P extends (string | number | null)[]>(sql: string) => database.prepare<R, P>(sql);
  return {
    find: one<SqlRow, [string]>("SELECT * FROM streams WHERE id = ?"),
    reserve: one<never, [string, string, string | null, number, number]>(
      "INSERT INTO streams (id, state, key, size, metadata, created_at, updated_at) VALUES (?, 0, ?, 0, ?, ?, ?) " +
        "ON CONFLICT DO NOTHING",
    ),
    touch: one<never, [number, number, string]>(
      "UPDATE streams SET size = ?1, durable = min(durable, ?1), updated_at = ?2 WHERE id = ?3 AND state = 0",
    ),
    markDurable: one<never, [number, string, string]>(
      "UPDATE streams SET durable = max(durable, ?) WHERE id = ? AND key = ? AND state = 0",
    ),
    seal: one<never, [number, number, string, string | null, number, string]>(
      "UPDATE streams SET state = 1, size = ?, durable = ?, sha256 = ?, format = ?, updated_at = ? WHERE id = ? AND state = 0",
    ),
    unseal: one<never, [number, number, string]>(
      "UPDATE streams SET state = 0, size = ?1, durable = min(durable, ?1), sha256 = NULL, updated_at = ?2 " +
        "WHERE id = ?3 AND state = 1",
    ),
    finish: one<never, [number, number, string]>(
      "UPDATE streams SET state = 2, updated_at = ?, finished_at = ? WHERE id = ? AND state = 1",
    ),
    remove: one<never, [string]>("DELETE FROM streams WHERE id = ?"),
    hasObject: one<{ id: string }, [string, string]>(
      "SELECT id FROM streams WHERE sha256 = ? AND id <> ? LIMIT 1",
    ),
    list: one<SqlRow, [string, number, number, number]>(
      "SELECT * FROM streams WHERE id > ? AND state BETWEEN ? AND ? ORDER BY id LIMIT ?",
    ),
    untouched: one<SqlRow, [number]>("SELECT * FROM streams WHERE state = 0 AND updated_at < ?"),
    totals: one<Totals, []>(
      `SELECT (SELECT count(*) FROM streams WHERE state = 2) AS finished,
              (SELECT count(*) FROM streams WHERE state < 2) AS unfinished,
              count(*) AS objects, coalesce(sum(size), 0) AS objectBytes
       FROM (SELECT DISTINCT sha256, size FROM streams WHERE state = 2 AND size > 0)`,
    ),
    rows: one<SqlRow, []>("SELECT * FROM streams"),
    boot: one<{ id: string | null; started_at: number }, []>("SELECT id, started_at FROM boots"),
    setBoot: one<never, [string | null, number]>("INSERT OR REPLACE INTO boots VALUES (1, ?, ?)"),
  };
}

function toRow(row: SqlRow): StreamRow {
  return {
    streamId: row.id,
    state: stateNames[row.state]!,
    key: row.key,
    size: row.size,
    durableBytes: row.durable,
    sha256: row.sha256,
    format: row.format,
    metadata: metadataFromJson(row.metadata),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    finishedAt: row.finished_at,
  };
}
