/** The statements of the stream catalog. Each one reads an index or a primary key, never the whole table. */
import type { Database } from "bun:sqlite";
import type { Totals } from "../catalog.ts";
import { baseName, nameTag } from "./stream-names.ts";

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
}

interface SqlObjectRow {
  id: string;
  sha256: string;
  state: number;
  size: number;
}

export type Statements = ReturnType<typeof prepareStatements>;

/** In the statements: state 0 is unfinished, 1 sealed, 2 finished; epoch -1 is a distrusted file. */
export function prepareStatements(database: Database) {
  return { ...changes(database), ...queries(database), ...facts(database) };
}

type Parameters = (string | number | null)[];

const on =
  (database: Database) =>
  <R, P extends Parameters>(sql: string) =>
    database.prepare<R, P>(sql);

function changes(database: Database) {
  const one = on(database);
  return {
    reserve: one<never, [string, string, string | null, number, number, number, number]>(
      `INSERT INTO streams (id, state, key, size, metadata, created_at, updated_at, touched_ms, epoch)
       VALUES (?, 0, ?, 0, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    ),
    touch: one<never, [number, number, number, string]>(
      `UPDATE streams SET size = ?1, durable = min(durable, ?1), updated_at = ?2, touched_ms = ?3
       WHERE id = ?4 AND state = 0`,
    ),
    declareSize: one<never, [number, string]>(
      `UPDATE streams SET metadata = json_set(coalesce(metadata, '{"tags":{}}'), '$.declaredSize', ?1)
       WHERE id = ?2 AND state = 0`,
    ),
    removeSize: one<never, [string]>(
      "UPDATE streams SET metadata = json_remove(metadata, '$.declaredSize') WHERE id = ? AND state = 0",
    ),
    markDurable: one<never, [number, string, string]>(
      "UPDATE streams SET durable = max(durable, ?) WHERE id = ? AND key = ? AND state = 0 AND epoch >= 0",
    ),
    seal: one<never, [number, string, string | null, number, string]>(
      `UPDATE streams SET state = 1, size = ?1, durable = ?1, sha256 = ?2, format = ?3, updated_at = ?4
       WHERE id = ?5 AND state = 0 AND epoch >= 0`,
    ),
    unseal: one<never, [number, number, number, string]>(
      `UPDATE streams SET state = 0, size = ?1, durable = min(durable, ?1), sha256 = NULL, updated_at = ?2, epoch = ?3
       WHERE id = ?4 AND state = 1`,
    ),
    finish: one<never, [number, number, string]>(
      "UPDATE streams SET state = 2, updated_at = ?, finished_at = ? WHERE id = ? AND state = 1",
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
      "UPDATE streams SET metadata = ?, audio = ? WHERE id = ? AND key = ?",
    ),
    remove: one<never, [string]>("DELETE FROM streams WHERE id = ?"),
    settle: one<never, [number, number, string]>(
      "UPDATE streams SET size = ?1, durable = min(durable, ?1), epoch = ?2 WHERE id = ?3 AND state = 0",
    ),
    markDamaged: one<{ id: string }, [number, string]>(
      "UPDATE streams SET damaged = ?1 WHERE sha256 = ?2 AND state = 2 AND damaged <> ?1 RETURNING id",
    ),
    distrustAll: one<never, []>("UPDATE streams SET epoch = -1 WHERE state = 0"),
    distrust: one<never, [string, string]>(
      "UPDATE streams SET epoch = -1 WHERE id = ? AND key = ? AND state = 0",
    ),
  };
}

function queries(database: Database) {
  const one = on(database);
  return {
    find: one<SqlRow, [string]>("SELECT * FROM streams WHERE id = ?"),
    named: one<SqlRow, [string, string]>(
      `SELECT * FROM streams INDEXED BY streams_by_name
       WHERE metadata IS NOT NULL AND ${baseName} = ?1 AND (?2 = ?1 OR ${nameTag} = ?2) LIMIT 2`,
    ),
    hasObject: one<{ id: string }, [string, string]>(
      "SELECT id FROM streams WHERE sha256 = ? AND id <> ? LIMIT 1",
    ),
    hasFinished: one<{ id: string }, [string]>(
      "SELECT id FROM streams WHERE sha256 = ? AND state = 2 LIMIT 1",
    ),
    streamsOf: one<SqlRow, [string, number]>(
      `SELECT * FROM streams INDEXED BY streams_by_object WHERE sha256 IS NOT NULL AND sha256 = ? AND state = 2
       ORDER BY id LIMIT ?`,
    ),
    hasKey: one<{ id: string }, [string]>("SELECT id FROM streams WHERE key = ? AND state < 2 LIMIT 1"),
    listAll: one<SqlRow, [string, number]>("SELECT * FROM streams WHERE id > ? ORDER BY id LIMIT ?"),
    listFinished: one<SqlRow, [string, number]>(
      `SELECT * FROM streams INDEXED BY streams_finished_ids WHERE state = 2 AND id > ? ORDER BY id LIMIT ?`,
    ),
    listUnfinished: one<SqlRow, [string, number]>(
      `SELECT * FROM streams INDEXED BY streams_unfinished_ids WHERE state = 0 AND id > ?1
       UNION ALL
       SELECT * FROM streams INDEXED BY streams_sealed_ids WHERE state = 1 AND id > ?1
       ORDER BY id LIMIT ?2`,
    ),
    undescribed: one<SqlRow, [number]>(
      `SELECT streams.* FROM search_streams INDEXED BY search_undescribed CROSS JOIN streams USING (id)
       WHERE is_described = 0 AND search_streams.state = 2 ORDER BY doc DESC LIMIT ?`,
    ),
    idle: one<SqlRow, [number, number]>(
      `SELECT * FROM streams INDEXED BY streams_by_touch WHERE state = 0 AND touched_ms <= ?
       ORDER BY touched_ms LIMIT ?`,
    ),
    sealed: one<SqlRow, []>("SELECT * FROM streams INDEXED BY streams_sealed_ids WHERE state = 1"),
    unsettled: one<SqlRow, [string, number, number]>(
      `SELECT * FROM streams INDEXED BY streams_unfinished_ids WHERE state = 0 AND id > ? AND epoch <> ?
       ORDER BY id LIMIT ?`,
    ),
    objects: one<SqlObjectRow, [string, string, string, number]>(
      `SELECT id, sha256, state, size FROM streams INDEXED BY streams_by_object
       WHERE sha256 IS NOT NULL AND sha256 < ? AND (sha256, id) > (?, ?)
       ORDER BY sha256, id LIMIT ?`,
    ),
    nextObjects: one<{ sha256: string; size: number; damaged: number }, [string, number]>(
      `SELECT sha256, size, max(damaged) AS damaged FROM streams INDEXED BY streams_by_object
       WHERE sha256 IS NOT NULL AND sha256 > ? AND state = 2 AND size > 0
       GROUP BY sha256 ORDER BY sha256 LIMIT ?`,
    ),
    countDamaged: one<{ count: number }, []>(
      "SELECT count(*) AS count FROM streams INDEXED BY streams_damaged WHERE damaged = 1",
    ),
    totals: one<Totals, []>(
      `SELECT finished, unfinished, unfinished_bytes AS unfinishedBytes, objects, object_bytes AS objectBytes FROM totals`,
    ),
  };
}

function facts(database: Database) {
  const one = on(database);
  return {
    boot: one<{ id: string | null; started_at: number }, []>("SELECT id, started_at FROM boots"),
    setBoot: one<never, [string | null, number]>("INSERT OR REPLACE INTO boots VALUES (1, ?, ?)"),
    meta: one<{ value: string }, [string]>("SELECT value FROM meta WHERE name = ?"),
    setMeta: one<never, [string, string]>("INSERT OR REPLACE INTO meta VALUES (?, ?)"),
    removeMeta: one<never, [string]>("DELETE FROM meta WHERE name = ?"),
  };
}
