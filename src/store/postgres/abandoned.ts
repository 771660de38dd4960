/** What dead nodes have left, in a catalog in PostgreSQL. `SKIP LOCKED` leaves a row to the node that was there first. */
import type { AbandonedQuery, AbandonedRows } from "../nodes/abandoned.ts";
import type { Candidate } from "../retention/catalog.ts";
import { deviceName, inPinnedRange } from "../retention/sql.ts";
import type { SqlRecordings } from "../recordings/sql.ts";
import type { SqlValue } from "../sql/database.ts";
import type { StreamRow } from "../streams/catalog.ts";
import { rowColumns, type SqlRow } from "../streams/sql/statements.ts";
import type { PostgresDatabase } from "./database.ts";

/** What an abandoned recording takes along in the catalog. */
type Recordings = Pick<SqlRecordings, "removeAnywhere">;

export class PostgresAbandoned implements AbandonedRows {
  readonly #statements: ReturnType<typeof prepareStatements>;
  readonly #recordings: Recordings;
  readonly #toRow: (row: SqlRow) => StreamRow;

  constructor(database: PostgresDatabase, recordings: Recordings, toRow: (row: SqlRow) => StreamRow) {
    this.#statements = prepareStatements(database);
    this.#recordings = recordings;
    this.#toRow = toRow;
  }

  candidates({ kind, before, after, limit }: AbandonedQuery): Candidate[] {
    const { at, id } = after ?? { at: 0, id: kind === "streams" ? "" : -1 };
    return this.#statements[kind].all(before, at, id, limit);
  }

  removeStream({ streamId, key }: Pick<StreamRow, "streamId" | "key">): boolean {
    return this.#statements.removeStream.run(streamId, key).changes === 1;
  }

  removeRecording(id: number): boolean {
    if (this.#statements.lockRecording.run(id).changes === 0) return false;
    return this.#recordings.removeAnywhere(id);
  }

  uploads(deadMs: number, limit: number): StreamRow[] {
    return this.#statements.uploads.all(deadMs, limit).map(this.#toRow);
  }

  removeUpload({ streamId, key, otherNode }: StreamRow): boolean {
    if (otherNode === undefined) return false;
    this.fence(otherNode);
    return this.#statements.removeUpload.run(streamId, key).changes === 1;
  }

  /** Fences a node if it is dead. */
  fence(node: string): void {
    this.#statements.lockIfDead.run(node);
    this.#statements.fenceIfDead.run(node);
  }
}

const deadNodes = "nodes n WHERE n.lease_until < now()";
const ofDeadNode = (table: string) => `EXISTS (SELECT 1 FROM ${deadNodes} AND n.id = ${table}.node)`;

function prepareStatements(database: PostgresDatabase) {
  const one = <R, P extends SqlValue[]>(sql: string) => database.prepare<R, P>(sql);
  /** A page of each dead node by its index, and the first of these. */
  const page = (rows: string, at: string) =>
    one<Candidate, [number, number, string | number, number]>(
      `SELECT c.* FROM (SELECT id FROM ${deadNodes}) dead CROSS JOIN LATERAL (
         ${rows} AND r.node = dead.id AND ${at} < ?1 AND (${at}, r.id) > (?2, ?3) ORDER BY ${at}, r.id LIMIT ?4) c
       ORDER BY "madeAt", id LIMIT ?4`,
    );
  return {
    streams: page(
      `SELECT r.id, r.id AS name, key, finished_at AS "madeAt", greatest(read_at, finished_at) AS "usedAt", size AS bytes,
         sha256, 1 AS sharers
       FROM streams r WHERE state = 2 AND pinned = 0`,
      "r.finished_at",
    ),
    recordings: page(
      `SELECT r.id, ${deviceName} AS name, '' AS key, ended_at AS "madeAt", greatest(read_at, ended_at) AS "usedAt",
         file_bytes AS bytes, NULL AS sha256, 1 AS sharers
       FROM recordings r WHERE pinned = 0 AND NOT ${inPinnedRange}`,
      "r.ended_at",
    ),
    removeStream: one<never, [string, string]>(
      `DELETE FROM streams WHERE id = (
         SELECT id FROM streams s WHERE id = ? AND key = ? AND state = 2 AND pinned = 0 AND ${ofDeadNode("s")}
         FOR UPDATE SKIP LOCKED)`,
    ),
    lockRecording: one<never, [number]>(
      `SELECT id FROM recordings r WHERE id = ? AND pinned = 0 AND NOT ${inPinnedRange} AND ${ofDeadNode("r")}
       FOR UPDATE SKIP LOCKED`,
    ),
    uploads: one<SqlRow, [number, number]>(
      `SELECT ${rowColumns(database.dialect)} FROM streams WHERE state < 2 AND node IN (
         SELECT id FROM ${deadNodes} AND n.lease_until < now() - make_interval(secs => CAST(? AS bigint) / 1000.0)) LIMIT ?`,
    ),
    removeUpload: one<never, [string, string]>(
      `DELETE FROM streams WHERE id = (
         SELECT id FROM streams s WHERE id = ? AND key = ? AND state < 2 AND ${ofDeadNode("s")} FOR UPDATE SKIP LOCKED)`,
    ),
    // A transaction that the other node has begun ends first; PostgreSQL ends it soon if that node is frozen.
    lockIfDead: one<never, [string]>(
      "SELECT pg_advisory_xact_lock(hashtextextended(id, 0)) FROM nodes WHERE id = ? AND lease_until < now()",
    ),
    fenceIfDead: one<never, [string]>(
      "UPDATE nodes SET fence = fence + 1 WHERE id = ? AND lease_until < now()",
    ),
  };
}
