/** The items of the archive in the catalog. Triggers keep them in step with the streams. */
import { randomBytes } from "node:crypto";
import { maxStreamsOfObject } from "../../base/limits/streams.ts";
import type {
  ArchiveCatalog,
  ArchiveItem,
  ArchiveRemoval,
  ArchiveTotals,
  EvictableObject,
  EvictionPosition,
  FoundItem,
  ItemRef,
} from "./catalog.ts";
import { type SqlDatabase, type SqlValue, upsert } from "../sql/database.ts";

/** The fact of `meta` that names the archive of the items. */
const archiveFact = "archive";
/** The fact that the archive is on: items follow the streams only while it is there. */
const onFact = "archive_on";
/** The last SHA-256 that `fill` has looked at. */
const filledFact = "archive_filled";

const newKey = (sha256: string) =>
  `'objects/' || substr(${sha256}, 1, 2) || '/' || ${sha256} || '.' || lower(hex(randomblob(4)))`;

function keyOf(sha256: string): string {
  return `objects/${sha256.slice(0, 2)}/${sha256}.${randomBytes(4).toString("hex")}`;
}

/** Column values of an object that is queued. */
const newItem = (row: string) => `${row}.sha256, ${row}.size, ${newKey(`${row}.sha256`)}`;

/** `is_archived` 0 waits in the queue. `due_ms` is in running time (running-time.ts). */
export const archiveSchema = `
  CREATE TABLE archive_items (
    sha256      TEXT    NOT NULL PRIMARY KEY,
    size        INTEGER NOT NULL,
    key         TEXT    NOT NULL,
    is_archived INTEGER NOT NULL DEFAULT 0,
    is_local    INTEGER NOT NULL DEFAULT 1,
    used_at     INTEGER NOT NULL,
    queued_at   INTEGER NOT NULL,
    due_ms      INTEGER NOT NULL DEFAULT 0,
    failures    INTEGER NOT NULL DEFAULT 0,
    upload_id   TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX archive_queued ON archive_items (queued_at) WHERE is_archived = 0;
  CREATE INDEX archive_evictable ON archive_items (used_at, sha256)
    WHERE is_archived = 1 AND is_local = 1 AND size > 0;
  CREATE INDEX archive_uploads ON archive_items (sha256) WHERE upload_id IS NOT NULL;
  CREATE TABLE archive_removals (
    key       TEXT    NOT NULL PRIMARY KEY,
    size      INTEGER NOT NULL,
    upload_id TEXT
  ) STRICT, WITHOUT ROWID;

  CREATE TRIGGER archive_finished AFTER UPDATE OF state ON streams
  WHEN NEW.state = 2 AND OLD.state < 2 AND EXISTS (SELECT 1 FROM meta WHERE name = '${onFact}')
  BEGIN
    INSERT INTO archive_items (sha256, size, key, used_at, queued_at)
    VALUES (${newItem("NEW")}, NEW.finished_at, NEW.finished_at)
    ON CONFLICT (sha256) DO UPDATE SET
      is_local = 1,
      used_at = max(used_at, excluded.used_at),
      is_archived = iif(EXISTS (SELECT 1 FROM streams WHERE sha256 = NEW.sha256 AND damaged = 1), 0, is_archived);
  END;
  CREATE TRIGGER archive_entered AFTER INSERT ON streams
  WHEN NEW.state = 2 AND EXISTS (SELECT 1 FROM meta WHERE name = '${onFact}')
  BEGIN
    INSERT INTO archive_items (sha256, size, key, used_at, queued_at)
    VALUES (${newItem("NEW")}, NEW.finished_at, NEW.finished_at)
    ON CONFLICT (sha256) DO UPDATE SET used_at = max(used_at, excluded.used_at);
  END;
  CREATE TRIGGER archive_read AFTER UPDATE OF read_at ON streams WHEN NEW.state = 2 BEGIN
    UPDATE archive_items SET used_at = NEW.read_at WHERE sha256 = NEW.sha256 AND used_at < NEW.read_at;
  END;
  CREATE TRIGGER archive_released AFTER DELETE ON streams
  WHEN OLD.state = 2 AND NOT EXISTS (SELECT 1 FROM streams WHERE sha256 = OLD.sha256 AND state = 2)
  BEGIN
    INSERT OR IGNORE INTO archive_removals (key, size, upload_id)
    SELECT key, size, upload_id FROM archive_items WHERE sha256 = OLD.sha256;
    DELETE FROM archive_items WHERE sha256 = OLD.sha256;
  END;

  CREATE TABLE archive_totals (
    one            INTEGER NOT NULL PRIMARY KEY,
    queued         INTEGER NOT NULL,
    queued_bytes   INTEGER NOT NULL,
    archived       INTEGER NOT NULL,
    archived_bytes INTEGER NOT NULL,
    evicted        INTEGER NOT NULL,
    evicted_bytes  INTEGER NOT NULL,
    removals       INTEGER NOT NULL
  ) STRICT;
  INSERT INTO archive_totals VALUES (1, 0, 0, 0, 0, 0, 0, 0);
  CREATE TRIGGER archive_item_inserted AFTER INSERT ON archive_items BEGIN
    UPDATE archive_totals SET
      queued = queued + 1 - NEW.is_archived,
      queued_bytes = queued_bytes + (1 - NEW.is_archived) * NEW.size,
      archived = archived + NEW.is_archived,
      archived_bytes = archived_bytes + NEW.is_archived * NEW.size,
      evicted = evicted + 1 - NEW.is_local,
      evicted_bytes = evicted_bytes + (1 - NEW.is_local) * NEW.size;
  END;
  CREATE TRIGGER archive_item_updated AFTER UPDATE OF is_archived, is_local ON archive_items BEGIN
    UPDATE archive_totals SET
      queued = queued + OLD.is_archived - NEW.is_archived,
      queued_bytes = queued_bytes + (OLD.is_archived - NEW.is_archived) * NEW.size,
      archived = archived + NEW.is_archived - OLD.is_archived,
      archived_bytes = archived_bytes + (NEW.is_archived - OLD.is_archived) * NEW.size,
      evicted = evicted + OLD.is_local - NEW.is_local,
      evicted_bytes = evicted_bytes + (OLD.is_local - NEW.is_local) * NEW.size;
  END;
  CREATE TRIGGER archive_item_deleted AFTER DELETE ON archive_items BEGIN
    UPDATE archive_totals SET
      queued = queued - 1 + OLD.is_archived,
      queued_bytes = queued_bytes - (1 - OLD.is_archived) * OLD.size,
      archived = archived - OLD.is_archived,
      archived_bytes = archived_bytes - OLD.is_archived * OLD.size,
      evicted = evicted - 1 + OLD.is_local,
      evicted_bytes = evicted_bytes - (1 - OLD.is_local) * OLD.size;
  END;
  CREATE TRIGGER archive_removal_inserted AFTER INSERT ON archive_removals BEGIN
    UPDATE archive_totals SET removals = removals + 1;
  END;
  CREATE TRIGGER archive_removal_deleted AFTER DELETE ON archive_removals BEGIN
    UPDATE archive_totals SET removals = removals - 1;
  END;
`;

interface SqlRow extends Omit<ArchiveItem, "isArchived" | "isLocal"> {
  isArchived: number;
  isLocal: number;
}

interface FoundRow extends SqlRow {
  isForeign: number;
}

const columns = `sha256, size, key, is_archived AS "isArchived", is_local AS "isLocal", queued_at AS "queuedAt", failures,
  upload_id AS "uploadId"`;

export class SqlArchive implements ArchiveCatalog {
  readonly #statements: ReturnType<typeof prepareStatements>;

  /** Expects a database with the current schema. */
  constructor(database: SqlDatabase) {
    this.#statements = prepareStatements(database);
  }

  use(archive: string | undefined): boolean {
    const { meta, setMeta, removeMeta } = this.#statements;
    if (archive === undefined) {
      removeMeta.run(onFact);
      return true;
    }
    const known = meta.get(archiveFact)?.value;
    if (known === archive && meta.get(onFact) !== null) return true;
    if (known !== undefined && known !== archive && !this.#forget()) return false;
    setMeta.run(archiveFact, archive);
    setMeta.run(onFact, "yes");
    // What was finished while there was no archive has no item.
    setMeta.run(filledFact, "");
    return true;
  }

  fill(limit: number, at: number): boolean {
    const { meta, setMeta, removeMeta, unqueued, queue } = this.#statements;
    const after = meta.get(filledFact)?.value;
    if (after === undefined) return false;
    const rows = unqueued.all(after, limit);
    for (const { sha256, size, usedAt } of rows) queue.run(sha256, size, keyOf(sha256), usedAt, at);
    const last = rows.at(-1)?.sha256;
    if (last === undefined) removeMeta.run(filledFact);
    else setMeta.run(filledFact, last);
    return last !== undefined;
  }

  find(sha256: string): ArchiveItem | undefined {
    const row = this.#statements.find.get(sha256);
    return row === null ? undefined : toItem(row);
  }

  findAnywhere(sha256: string): FoundItem | undefined {
    const row = this.#statements.findAnywhere.get(sha256);
    if (row === null) return undefined;
    const isForeign = row.isForeign === 1;
    return { ...toItem(row), isForeign, isLocal: !isForeign && row.isLocal === 1 };
  }

  due(nowMs: number, limit: number, exceptKeys: readonly string[]): ArchiveItem[] {
    return this.#statements.due.all(nowMs, JSON.stringify(exceptKeys), limit).map(toItem);
  }

  begun({ sha256, key }: ItemRef, uploadId: string | null): void {
    this.#statements.begun.run(uploadId, sha256, key);
  }

  failed({ sha256, key }: ItemRef, dueMs: number): void {
    this.#statements.failed.run(dueMs, sha256, key);
  }

  archived({ sha256, key }: ItemRef): boolean {
    return this.#statements.archived.get(sha256, key) !== null;
  }

  requeue(sha256: string): void {
    this.#statements.requeue.run(sha256);
  }

  setLocal(sha256: string, isLocal: boolean): void {
    this.#statements.setLocal.run(isLocal ? 1 : 0, sha256);
  }

  enter(item: ArchiveItem): void {
    const { sha256, size, key, isArchived, isLocal, queuedAt } = item;
    this.#statements.enter.run(sha256, size, key, isArchived ? 1 : 0, isLocal ? 1 : 0, queuedAt);
  }

  after(sha256: string, limit: number): ArchiveItem[] {
    return this.#statements.after.all(sha256, limit).map(toItem);
  }

  evictable({ usedAt, sha256 }: EvictionPosition, limit: number): (EvictableObject & EvictionPosition)[] {
    const rows = this.#statements.evictable.all(usedAt, sha256, limit);
    return rows.map((row) => Object.assign(row, { streamIds: this.#streamsOf(row.sha256) }));
  }

  uploads(after: string, limit: number): { sha256: string; uploadId: string }[] {
    return this.#statements.uploads.all(after, limit);
  }

  removals(limit: number, exceptKeys: readonly string[]): ArchiveRemoval[] {
    return this.#statements.removals.all(JSON.stringify(exceptKeys), limit);
  }

  removed(key: string): void {
    this.#statements.removed.run(key);
  }

  totals(): ArchiveTotals {
    return this.#statements.totals.get()!;
  }

  /** Forgets the items of another archive. Returns false if some audio is there alone. */
  #forget(): boolean {
    if (this.totals().evicted > 0) return false;
    this.#statements.forgetItems.run();
    this.#statements.forgetRemovals.run();
    return true;
  }

  #streamsOf(sha256: string): string[] {
    return this.#statements.streamsOf.all(sha256).map(({ id }) => id);
  }
}

function toItem(row: SqlRow): ArchiveItem {
  return { ...row, isArchived: row.isArchived === 1, isLocal: row.isLocal === 1 };
}

function prepareStatements(database: SqlDatabase) {
  return { ...changes(database), ...queries(database) };
}

const on =
  (database: SqlDatabase) =>
  <R, P extends SqlValue[]>(sql: string) =>
    database.prepare<R, P>(sql);

function changes(database: SqlDatabase) {
  const one = on(database);
  const { nodeKey } = database.dialect;
  const own = database.dialect.own();
  return {
    setMeta: one<never, [string, string]>(upsert("meta", ["name"], ["value"], nodeKey)),
    removeMeta: one<never, [string]>(`DELETE FROM meta WHERE name = ? AND ${own}`),
    forgetItems: one<never, []>(`DELETE FROM archive_items WHERE ${own}`),
    forgetRemovals: one<never, []>(`DELETE FROM archive_removals WHERE ${own}`),
    queue: one<never, [string, number, string, number, number]>(
      `INSERT INTO archive_items (sha256, size, key, used_at, queued_at)
       VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    ),
    begun: one<never, [string | null, string, string]>(
      `UPDATE archive_items SET upload_id = ? WHERE sha256 = ? AND key = ? AND ${own}`,
    ),
    failed: one<never, [number, string, string]>(
      `UPDATE archive_items SET due_ms = ?, failures = failures + 1
       WHERE sha256 = ? AND key = ? AND is_archived = 0 AND ${own}`,
    ),
    archived: one<{ size: number }, [string, string]>(
      `UPDATE archive_items SET is_archived = 1, due_ms = 0, failures = 0, upload_id = NULL
       WHERE sha256 = ? AND key = ? AND ${own} RETURNING size`,
    ),
    requeue: one<never, [string]>(
      `UPDATE archive_items SET is_archived = 0, due_ms = 0, failures = 0
       WHERE sha256 = ? AND is_local = 1 AND ${own}`,
    ),
    setLocal: one<never, [number, string]>(
      `UPDATE archive_items SET is_local = ? WHERE sha256 = ? AND ${own}`,
    ),
    enter: one<never, [string, number, string, number, number, number]>(
      `INSERT INTO archive_items (sha256, size, key, is_archived, is_local, used_at, queued_at)
       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6) ON CONFLICT DO NOTHING`,
    ),
    removed: one<never, [string]>(`DELETE FROM archive_removals WHERE key = ? AND ${own}`),
  };
}

function queries(database: SqlDatabase) {
  const one = on(database);
  const { indexedBy, textsOf, greatest, sameNode } = database.dialect;
  const own = database.dialect.own();
  const exceptKeys = `key NOT IN (${textsOf("?")})`;
  return {
    meta: one<{ value: string }, [string]>(`SELECT value FROM meta WHERE name = ? AND ${own}`),
    find: one<SqlRow, [string]>(`SELECT ${columns} FROM archive_items WHERE sha256 = ? AND ${own}`),
    findAnywhere: one<FoundRow, [string]>(
      `SELECT ${columns}, CASE WHEN ${own} THEN 0 ELSE 1 END AS "isForeign" FROM archive_items
       WHERE sha256 = ? AND (${own} OR is_archived = 1) ORDER BY "isForeign" LIMIT 1`,
    ),
    due: one<SqlRow, [number, string, number]>(
      `SELECT ${columns} FROM archive_items ${indexedBy("archive_queued")}
       WHERE is_archived = 0 AND due_ms <= ? AND ${exceptKeys} AND ${own} ORDER BY queued_at, sha256 LIMIT ?`,
    ),
    after: one<SqlRow, [string, number]>(
      `SELECT ${columns} FROM archive_items WHERE sha256 > ? AND ${own} ORDER BY sha256 LIMIT ?`,
    ),
    unqueued: one<{ sha256: string; size: number; usedAt: number }, [string, number]>(
      `SELECT sha256, max(size) AS size, max(${greatest}(read_at, finished_at)) AS "usedAt" FROM streams ${indexedBy("streams_by_object")}
       WHERE sha256 IS NOT NULL AND sha256 > ? AND state = 2 AND ${own} GROUP BY sha256 ORDER BY sha256 LIMIT ?`,
    ),
    evictable: one<{ sha256: string; size: number; usedAt: number }, [number, string, number]>(
      `SELECT sha256, size, used_at AS "usedAt" FROM archive_items i ${indexedBy("archive_evictable")}
       WHERE is_archived = 1 AND is_local = 1 AND size > 0 AND ${own} AND (used_at, sha256) > (?, ?)
         AND NOT EXISTS (SELECT 1 FROM streams s WHERE s.sha256 = i.sha256 AND s.pinned = 1 AND ${sameNode("s", "i")})
       ORDER BY used_at, sha256 LIMIT ?`,
    ),
    streamsOf: one<{ id: string }, [string]>(
      `SELECT id FROM streams ${indexedBy("streams_by_object")}
       WHERE sha256 IS NOT NULL AND sha256 = ? AND state = 2 AND ${own} LIMIT ${maxStreamsOfObject}`,
    ),
    uploads: one<{ sha256: string; uploadId: string }, [string, number]>(
      `SELECT sha256, upload_id AS "uploadId" FROM archive_items ${indexedBy("archive_uploads")}
       WHERE upload_id IS NOT NULL AND sha256 > ? AND ${own} ORDER BY sha256 LIMIT ?`,
    ),
    removals: one<ArchiveRemoval, [string, number]>(
      `SELECT key, size, upload_id AS "uploadId" FROM archive_removals WHERE ${exceptKeys} AND ${own} ORDER BY key LIMIT ?`,
    ),
    totals: one<ArchiveTotals, []>(
      `SELECT queued, queued_bytes AS "queuedBytes", archived, archived_bytes AS "archivedBytes", evicted,
         evicted_bytes AS "evictedBytes", removals,
         (SELECT min(queued_at) FROM archive_items ${indexedBy("archive_queued")} WHERE is_archived = 0 AND ${own}) AS "oldestQueuedAt"
       FROM archive_totals WHERE ${own}`,
    ),
  };
}
