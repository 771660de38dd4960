/** The catalog in a PostgreSQL database, which any number of nodes share. */
import type { WavecacheError } from "../../base/errors.ts";
import { deadNodeMs, maxTakenOver, nodeLeaseMs } from "../../base/limits/postgres.ts";
import { SqlNodeTasks } from "../nodes/sql.ts";
import type { CatalogNews, SharedCatalog } from "../shared-catalog.ts";
import type { StreamRow } from "../streams/catalog.ts";
import { SqlCatalog } from "../streams/sql/catalog.ts";
import type { Dialect } from "../sql/database.ts";
import { type EngineQueries, rowColumns } from "../streams/sql/statements.ts";
import { PostgresAbandoned } from "./abandoned.ts";
import { PostgresDatabase } from "./database.ts";
import type { ConnectionSettings } from "./messages.ts";
import { migrate } from "./schema/migrations.ts";
import { PostgresSearch } from "./search.ts";

function queriesOf(dialect: Dialect): EngineQueries {
  const columns = rowColumns(dialect);
  return {
    named: `
      SELECT ${columns} FROM streams
      WHERE left(base_name(name), 200) = left(?1, 200) AND base_name(name) = ?1 AND (?2 = ?1 OR name = ?2) AND name IS NOT NULL LIMIT 2`,
    undescribed: `
      SELECT ${columns} FROM streams
      WHERE state = 2 AND audio IS NULL AND format IS NOT NULL AND size > 0 AND ${dialect.own()} ORDER BY doc DESC LIMIT ?`,
  };
}

export class PostgresCatalog extends SqlCatalog implements SharedCatalog {
  /** This node has not opened the catalog before. */
  readonly isNew: boolean;
  readonly isShared = true;
  readonly tasks: SqlNodeTasks;
  readonly abandoned: PostgresAbandoned;
  readonly #database: PostgresDatabase;
  readonly #statements: ReturnType<typeof prepareStatements>;

  /**
   * Connects, brings the schema to the newest version, and fences an earlier run of this node. `onFault` is called if the
   * connection is lost or another node has fenced this one, after which the catalog must be opened anew. Throws
   * CATALOG_UNAVAILABLE, STORE_TOO_NEW.
   */
  constructor(
    settings: ConnectionSettings,
    monotonicMs: () => number = () => performance.now(),
    onFault: (error: WavecacheError) => void = () => {},
  ) {
    const database = new PostgresDatabase(settings, onFault);
    try {
      const isNew = join(database, settings.node);
      super(database, queriesOf(database.dialect), new PostgresSearch(database), monotonicMs);
      this.isNew = isNew;
      this.#database = database;
      this.#statements = prepareStatements(database);
      this.tasks = new SqlNodeTasks(database, settings.node);
      this.abandoned = new PostgresAbandoned(database, this.recordings, (row) => this.toRow(row));
    } catch (error) {
      database.close();
      throw error;
    }
  }

  transaction<T>(change: () => T, durable: boolean, otherNodes: readonly string[] = []): T {
    const changeAll = () => {
      const result = change();
      this.saveRunningTimeIfDue();
      return result;
    };
    return this.#database.transaction(changeAll, durable, otherNodes);
  }

  lock(streamIds: readonly string[]): void {
    this.#statements.lock.run(JSON.stringify(streamIds));
  }

  takeOver({ streamId, key, otherNode: from }: StreamRow, newKey: string, at: number): boolean {
    if (from === undefined) return false;
    this.abandoned.fence(from);
    const values = [newKey, at, this.runningMs(), this.epoch, streamId, key, from] as const;
    return this.#statements.takeOver.run(...values).changes === 1;
  }

  renewLease(): void {
    this.transaction(() => this.#statements.renewLease.run(), false);
  }

  news(): CatalogNews {
    return this.#statements.news.get()!;
  }

  takeOverWork(): number {
    return this.transaction(
      () => this.#statements.takeOverRemovals.run(deadNodeMs, maxTakenOver).changes,
      false,
    );
  }

  close(): void {
    this.saveRunningTime();
    this.abandon();
  }

  abandon(): void {
    this.#database.close();
  }
}

function prepareStatements(database: PostgresDatabase) {
  const { dialect } = database;
  const lease = `lease_until = now() + interval '${nodeLeaseMs} ms'`;
  return {
    takeOver: database.prepare<never, [string, number, number, number, string, string, string]>(
      `UPDATE streams SET node = '${dialect.node}', key = ?, state = 0, size = 0, durable = 0, sha256 = NULL,
         updated_at = ?, touched_ms = ?, epoch = ?
       WHERE id = ? AND key = ? AND node = ? AND state < 2`,
    ),
    news: database.prepare<CatalogNews, []>(
      `SELECT (SELECT seq FROM event_sequence) AS "newestEvent", (SELECT version FROM token_version) AS "tokens",
         (SELECT version FROM session_version) AS "sessions",
         (SELECT count(*) FROM (SELECT 1 FROM node_tasks WHERE ${dialect.own()} LIMIT 1) AS waiting) AS "tasks",
         CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS "nowMs"`,
    ),
    // In one order, so that no two nodes wait for each other.
    lock: database.prepare<never, [string]>(
      `SELECT id FROM streams WHERE id IN (${dialect.textsOf("?")}) ORDER BY id FOR UPDATE`,
    ),
    renewLease: database.prepare<never, []>(`UPDATE nodes SET ${lease} WHERE id = '${dialect.node}'`),
    // The keys of one bucket: any node that has the same archive can remove them. Each key goes to one node.
    takeOverRemovals: database.prepare<never, [number, number]>(
      `WITH dead AS (
         SELECT r.node, r.key FROM archive_removals r
         WHERE r.node IN (
           SELECT n.id FROM nodes n, meta theirs, meta ours
           WHERE n.lease_until < now() - CAST(? AS BIGINT) * interval '1 ms'
             AND theirs.node = n.id AND theirs.name = 'archive' AND theirs.value = ours.value
             AND ours.name = 'archive' AND ours.${dialect.own()}
             AND EXISTS (SELECT 1 FROM meta WHERE name = 'archive_on' AND ${dialect.own()})
         )
         LIMIT ? FOR UPDATE OF r SKIP LOCKED
       ), taken AS (
         DELETE FROM archive_removals r USING dead WHERE r.node = dead.node AND r.key = dead.key
         RETURNING r.key, r.size, r.upload_id
       )
       INSERT INTO archive_removals (key, size, upload_id) SELECT key, size, upload_id FROM taken
       ON CONFLICT DO NOTHING`,
    ),
  };
}

/** Returns whether the node is new. */
function join(database: PostgresDatabase, node: string): boolean {
  migrate(database);
  database.script(`
    BEGIN;
    SELECT pg_advisory_xact_lock(hashtextextended('${node}', 0));
    INSERT INTO nodes (id, fence, lease_until) VALUES ('${node}', 1, now() + interval '${nodeLeaseMs} ms')
    ON CONFLICT (id) DO UPDATE SET fence = nodes.fence + 1, lease_until = excluded.lease_until;
    INSERT INTO totals (node) VALUES ('${node}') ON CONFLICT DO NOTHING;
    INSERT INTO recording_totals (node) VALUES ('${node}') ON CONFLICT DO NOTHING;
    INSERT INTO archive_totals (node) VALUES ('${node}') ON CONFLICT DO NOTHING;
    INSERT INTO archive_recording_totals (node) VALUES ('${node}') ON CONFLICT DO NOTHING;
    COMMIT`);
  const row = database
    .prepare<{ fence: number }, [string]>("SELECT fence FROM nodes WHERE id = ?")
    .get(node)!;
  database.fencingToken = row.fence;
  return row.fence === 1;
}
