/** The statements of the stream catalog. Each one reads an index or a primary key, never the whole table. */
import type { StreamCounts, Totals } from "../catalog.ts";
import { type Dialect, type SqlDatabase, type SqlValue, upsert } from "../../sql/database.ts";

export interface SqlRow {
  id: string;
  state: number;
  key: string;
  size: number;
  durable: number;
  sha256: string | null;
  format: string | null;
  metadata: string | null;
  audio: string | null;
  created_at: number;
  updated_at: number;
  finished_at: number | null;
  epoch: number;
  damaged: number;
  pinned: number;
  account: string | null;
  /** Only rows that nodes share have it. */
  node?: string;
  /** 1 if the object is in the archive, and not on the disk of this node. */
  evicted: number;
}

/** Of a row of `streams`. */
export function rowColumns({ own, sameNode }: Dialect): string {
  const isNotHere = `(a.is_local = 0 OR (a.is_archived = 1 AND NOT (${own("a")})))`;
  return `streams.*, (
    SELECT count(*) FROM archive_items a
    WHERE a.sha256 = streams.sha256 AND ${isNotHere} AND ${sameNode("a", "streams")}) AS evicted`;
}

interface SqlObjectRow {
  id: string;
  sha256: string;
  state: number;
  size: number;
}

export type Statements = ReturnType<typeof prepareStatements>;

/** In the statements: state 0 is unfinished, 1 sealed, 2 finished; epoch -1 is a distrusted file. */
export function prepareStatements(database: SqlDatabase, texts: EngineQueries) {
  return { ...changes(database), ...queries(database, texts), ...facts(database) };
}

/** Queries that each engine answers from columns and indexes of its own. */
export interface EngineQueries {
  /** Parameters: what follows the last slash of a name, and the name. Results in up to two streams. */
  named: string;
  /** Parameter: the limit. Newest first. */
  undescribed: string;
}

const on =
  (database: SqlDatabase) =>
  <R, P extends SqlValue[]>(sql: string) =>
    database.prepare<R, P>(sql);

function changes(database: SqlDatabase) {
  const one = on(database);
  const { greatest, least, textsOf } = database.dialect;
  const own = database.dialect.own();
  return {
    reserve: one<never, [string, string, string | null, number, number, number, number]>(
      `INSERT INTO streams (id, state, key, size, metadata, created_at, updated_at, touched_ms, epoch)
       VALUES (?, 0, ?, 0, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    ),
    touch: one<never, [number, number, number, string]>(
      `UPDATE streams SET size = ?1, durable = ${least}(durable, ?1), updated_at = ?2, touched_ms = ?3
       WHERE id = ?4 AND state = 0 AND ${own}`,
    ),
    setMetadata: one<never, [string | null, string]>(
      `UPDATE streams SET metadata = ? WHERE id = ? AND state = 0 AND ${own}`,
    ),
    markDurable: one<never, [number, string, string]>(
      `UPDATE streams SET durable = ${greatest}(durable, ?) WHERE id = ? AND key = ? AND state = 0 AND epoch >= 0 AND ${own}`,
    ),
    seal: one<never, [number, string, string | null, number, string]>(
      `UPDATE streams SET state = 1, size = ?1, durable = ?1, sha256 = ?2, format = ?3, updated_at = ?4
       WHERE id = ?5 AND state = 0 AND epoch >= 0 AND ${own}`,
    ),
    unseal: one<never, [number, number, number, string]>(
      `UPDATE streams SET state = 0, size = ?1, durable = ${least}(durable, ?1), sha256 = NULL, updated_at = ?2, epoch = ?3
       WHERE id = ?4 AND state = 1 AND ${own}`,
    ),
    finish: one<never, [number, number, string]>(
      `UPDATE streams SET state = 2, updated_at = ?, finished_at = ? WHERE id = ? AND state = 1 AND ${own}`,
    ),
    enter: one<
      never,
      [string, string, number, string, string | null, string | null, string | null, number, number, number]
    >(
      `INSERT INTO streams
         (id, state, key, size, durable, sha256, format, metadata, audio, created_at, updated_at, finished_at, pinned)
       VALUES (?1, 2, ?2, ?3, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10) ON CONFLICT DO NOTHING`,
    ),
    describe: one<never, [string | null, string | null, string, string]>(
      `UPDATE streams SET metadata = ?, audio = ? WHERE id = ? AND key = ?`,
    ),
    remove: one<never, [string]>(`DELETE FROM streams WHERE id = ? AND ${own}`),
    // No two uploads have the same key.
    removeFinished: one<{ id: string }, [string, string, number]>(
      `DELETE FROM streams WHERE id IN (${textsOf("?")}) AND key IN (${textsOf("?")}) AND state = 2
         AND (pinned = 0 OR CAST(? AS INTEGER) = 1) RETURNING id`,
    ),
    settle: one<never, [number, number, string]>(
      `UPDATE streams SET size = ?1, durable = ${least}(durable, ?1), epoch = ?2 WHERE id = ?3 AND state = 0 AND ${own}`,
    ),
    markDamaged: one<{ id: string }, [number, string]>(
      `UPDATE streams SET damaged = ?1 WHERE sha256 = ?2 AND state = 2 AND damaged <> ?1 AND ${own} RETURNING id`,
    ),
    distrustAll: one<never, []>(`UPDATE streams SET epoch = -1 WHERE state = 0 AND ${own}`),
    distrust: one<never, [string, string]>(
      `UPDATE streams SET epoch = -1 WHERE id = ? AND key = ? AND state = 0 AND ${own}`,
    ),
  };
}

function queries(database: SqlDatabase, { named, undescribed }: EngineQueries) {
  const one = on(database);
  const { indexedBy, sameNode, textsOf } = database.dialect;
  const columns = rowColumns(database.dialect);
  const own = database.dialect.own();
  return {
    find: one<SqlRow, [string]>(`SELECT ${columns} FROM streams WHERE id = ?`),
    findAll: one<SqlRow, [string]>(`SELECT ${columns} FROM streams WHERE id IN (${textsOf("?")})`),
    named: one<SqlRow, [string, string]>(named),
    hasObject: one<{ id: string }, [string, string]>(
      `SELECT id FROM streams WHERE sha256 = ? AND id <> ? AND ${own} LIMIT 1`,
    ),
    hasFinished: one<{ id: string }, [string]>(
      `SELECT id FROM streams WHERE sha256 = ? AND state = 2 AND ${own} LIMIT 1`,
    ),
    streamsOf: one<SqlRow, [string, number]>(
      `SELECT ${columns} FROM streams ${indexedBy("streams_by_object")} WHERE sha256 IS NOT NULL AND sha256 = ? AND state = 2 AND ${own}
       ORDER BY id LIMIT ?`,
    ),
    hasKey: one<{ id: string }, [string]>(`SELECT id FROM streams WHERE key = ? AND state < 2 LIMIT 1`),
    listAll: one<SqlRow, [string, number]>(`SELECT ${columns} FROM streams WHERE id > ? ORDER BY id LIMIT ?`),
    listFinished: one<SqlRow, [string, number]>(
      `SELECT ${columns} FROM streams ${indexedBy("streams_finished_ids")} WHERE state = 2 AND id > ? ORDER BY id LIMIT ?`,
    ),
    ownFinished: one<SqlRow, [string, number]>(
      `SELECT ${columns} FROM streams ${indexedBy("streams_finished_ids")} WHERE state = 2 AND id > ? AND ${own} ORDER BY id LIMIT ?`,
    ),
    listUnfinished: one<SqlRow, [string, number]>(
      `SELECT ${columns} FROM streams ${indexedBy("streams_unfinished_ids")} WHERE state = 0 AND id > ?1
       UNION ALL
       SELECT ${columns} FROM streams ${indexedBy("streams_sealed_ids")} WHERE state = 1 AND id > ?1
       ORDER BY id LIMIT ?2`,
    ),
    undescribed: one<SqlRow, [number]>(undescribed),
    idle: one<SqlRow, [number, number]>(
      `SELECT ${columns} FROM streams ${indexedBy("streams_by_touch")} WHERE state = 0 AND touched_ms <= ? AND ${own}
       ORDER BY touched_ms LIMIT ?`,
    ),
    sealed: one<SqlRow, []>(
      `SELECT ${columns} FROM streams ${indexedBy("streams_sealed_ids")} WHERE state = 1 AND ${own}`,
    ),
    unsettled: one<SqlRow, [string, number, number]>(
      `SELECT ${columns} FROM streams ${indexedBy("streams_unfinished_ids")} WHERE state = 0 AND id > ? AND epoch <> ? AND ${own}
       ORDER BY id LIMIT ?`,
    ),
    objects: one<SqlObjectRow, [string, string, string, number]>(
      `SELECT id, sha256, state, size FROM streams ${indexedBy("streams_by_object")}
       WHERE sha256 IS NOT NULL AND sha256 < ? AND (sha256, id) > (?, ?) AND ${own}
       ORDER BY sha256, id LIMIT ?`,
    ),
    nextObjects: one<{ sha256: string; size: number; damaged: number }, [string, number]>(
      `SELECT sha256, max(size) AS size, max(damaged) AS damaged FROM streams ${indexedBy("streams_by_object")}
       WHERE sha256 IS NOT NULL AND sha256 > ?1 AND state = 2 AND size > 0 AND ${own} AND NOT EXISTS (
         SELECT 1 FROM archive_items a
         WHERE a.sha256 = streams.sha256 AND a.sha256 > ?1 AND a.is_local = 0 AND ${sameNode("a", "streams")})
       GROUP BY sha256 ORDER BY sha256 LIMIT ?2`,
    ),
    countDamaged: one<{ count: number }, []>(
      `SELECT count(*) AS count FROM streams ${indexedBy("streams_damaged")} WHERE damaged = 1 AND ${own}`,
    ),
    totals: one<Totals, []>(
      `SELECT finished, unfinished, unfinished_bytes AS "unfinishedBytes", objects, object_bytes AS "objectBytes"
       FROM totals WHERE ${own}`,
    ),
    counts: one<StreamCounts, []>(
      "SELECT coalesce(sum(finished), 0) AS finished, coalesce(sum(unfinished), 0) AS unfinished FROM totals",
    ),
  };
}

function facts(database: SqlDatabase) {
  const one = on(database);
  const { nodeKey } = database.dialect;
  const own = database.dialect.own();
  return {
    boot: one<{ id: string | null; started_at: number }, []>(`SELECT id, started_at FROM boots WHERE ${own}`),
    setBoot: one<never, [number, string | null, number]>(
      upsert("boots", ["one"], ["id", "started_at"], nodeKey),
    ),
    meta: one<{ value: string }, [string]>(`SELECT value FROM meta WHERE name = ? AND ${own}`),
    setMeta: one<never, [string, string]>(upsert("meta", ["name"], ["value"], nodeKey)),
    removeMeta: one<never, [string]>(`DELETE FROM meta WHERE name = ? AND ${own}`),
  };
}
