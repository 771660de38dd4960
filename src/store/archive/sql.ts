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
  ItemTotals,
} from "./catalog.ts";
import { isRecordingKey } from "./keys.ts";
import { onFact } from "./object-schema.ts";
import { SqlRecordingItems } from "./recording-items.ts";
import { type SqlDatabase, type SqlValue, upsert } from "../sql/database.ts";

/** The fact of `meta` that names the archive of the items. */
const archiveFact = "archive";
/** The last SHA-256 that `fill` has looked at. */
const filledFact = "archive_filled";
/** The last recording that `fill` has looked at, or `allRecordings`. An archive of an older version has looked at none. */
const filledRecordingsFact = "archive_filled_recordings";
const allRecordings = "all";

function keyOf(sha256: string): string {
  return `objects/${sha256.slice(0, 2)}/${sha256}.${randomBytes(4).toString("hex")}`;
}

interface SqlRow extends Omit<ArchiveItem, "isArchived" | "isLocal"> {
  isArchived: number;
  isLocal: number;
}

interface FoundRow extends SqlRow {
  isForeign: number;
}

const columns = `sha256, size, key, is_archived AS "isArchived", is_local AS "isLocal", queued_at AS "queuedAt", failures,
  upload_id AS "uploadId"`;
const objectColumns = `${columns}, CAST(NULL AS TEXT) AS recording`;
const recordingColumns = `${columns}, name AS recording`;

/** The tables of items, by the keys of their items. */
type ItemTable = "archive_items" | "archive_recordings";

export class SqlArchive implements ArchiveCatalog {
  readonly recordings: SqlRecordingItems;
  /** Whether the archive is on; true before `use` was called. */
  isOn = true;
  readonly #statements: ReturnType<typeof prepareStatements>;
  readonly #ofObjects: ItemChanges;
  readonly #ofRecordings: ItemChanges;

  /** Expects a database with the current schema. */
  constructor(database: SqlDatabase) {
    this.recordings = new SqlRecordingItems(database);
    this.#statements = prepareStatements(database);
    this.#ofObjects = itemChanges(database, "archive_items");
    this.#ofRecordings = itemChanges(database, "archive_recordings");
  }

  use(archive: string | undefined): boolean {
    const { meta, setMeta, removeMeta } = this.#statements;
    this.isOn = archive !== undefined;
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
    setMeta.run(filledRecordingsFact, "0");
    return true;
  }

  fill(limit: number, at: number): boolean {
    return this.#fillObjects(limit, at) || this.#fillRecordings(limit, at);
  }

  #fillObjects(limit: number, at: number): boolean {
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

  #fillRecordings(limit: number, at: number): boolean {
    const { meta, setMeta } = this.#statements;
    const after = meta.get(filledRecordingsFact)?.value ?? "0";
    if (after === allRecordings) return false;
    const last = this.recordings.fillAfter(Number(after), limit, at);
    setMeta.run(filledRecordingsFact, last === undefined ? allRecordings : String(last));
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
    this.#changesOf(key).begun.run(uploadId, sha256, key);
  }

  failed({ sha256, key }: ItemRef, dueMs: number): void {
    this.#changesOf(key).failed.run(dueMs, sha256, key);
  }

  archived({ sha256, key }: ItemRef): boolean {
    return this.#changesOf(key).archived.get(sha256, key) !== null;
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

  uploads(after: string, limit: number): { key: string; uploadId: string }[] {
    return this.#statements.uploads.all(after, limit);
  }

  removals(nowMs: number, limit: number, exceptKeys: readonly string[]): ArchiveRemoval[] {
    return this.#statements.removals.all(nowMs, JSON.stringify(exceptKeys), limit);
  }

  removed(key: string): void {
    this.#statements.removed.run(key);
  }

  discard({ key, size }: Pick<ArchiveItem, "key" | "size">): void {
    this.#statements.discard.run(key, size);
  }

  totals(): ArchiveTotals {
    const { totals, recordingTotals } = this.#statements;
    return { ...totals.get()!, recordings: recordingTotals.get()! };
  }

  /** Forgets the items of another archive. Returns false if some audio is there alone. */
  #forget(): boolean {
    const { evicted, recordings } = this.totals();
    if (evicted + recordings.evicted > 0) return false;
    this.recordings.forget();
    this.#statements.forgetParts.run();
    this.#statements.forgetItems.run();
    this.#statements.forgetRemovals.run();
    return true;
  }

  #changesOf(key: string): ItemChanges {
    return isRecordingKey(key) ? this.#ofRecordings : this.#ofObjects;
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

type ItemChanges = ReturnType<typeof itemChanges>;

/** What happens to an item on its way to the archive. */
function itemChanges(database: SqlDatabase, table: ItemTable) {
  const one = on(database);
  const own = database.dialect.own();
  return {
    begun: one<never, [string | null, string, string]>(
      `UPDATE ${table} SET upload_id = ? WHERE sha256 = ? AND key = ? AND ${own}`,
    ),
    failed: one<never, [number, string, string]>(
      `UPDATE ${table} SET due_ms = ?, failures = failures + 1
       WHERE sha256 = ? AND key = ? AND is_archived = 0 AND ${own}`,
    ),
    archived: one<{ size: number }, [string, string]>(
      `UPDATE ${table} SET is_archived = 1, due_ms = 0, failures = 0, upload_id = NULL
       WHERE sha256 = ? AND key = ? AND ${own} RETURNING size`,
    ),
  };
}

function changes(database: SqlDatabase) {
  const one = on(database);
  const { nodeKey } = database.dialect;
  const own = database.dialect.own();
  return {
    setMeta: one<never, [string, string]>(upsert("meta", ["name"], ["value"], nodeKey)),
    removeMeta: one<never, [string]>(`DELETE FROM meta WHERE name = ? AND ${own}`),
    forgetParts: one<never, []>(
      `DELETE FROM parted_uploads WHERE stream_id IN (SELECT id FROM streams WHERE state < 2 AND ${own})`,
    ),
    forgetItems: one<never, []>(`DELETE FROM archive_items WHERE ${own}`),
    forgetRemovals: one<never, []>(`DELETE FROM archive_removals WHERE ${own}`),
    queue: one<never, [string, number, string, number, number]>(
      `INSERT INTO archive_items (sha256, size, key, used_at, queued_at)
       VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
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
    discard: one<never, [string, number]>(
      "INSERT INTO archive_removals (key, size) VALUES (?, ?) ON CONFLICT DO NOTHING",
    ),
    removed: one<never, [string]>(`DELETE FROM archive_removals WHERE key = ? AND ${own}`),
  };
}

function queries(database: SqlDatabase) {
  const one = on(database);
  const { indexedBy, textsOf, greatest, sameNode } = database.dialect;
  const own = database.dialect.own();
  const exceptKeys = (parameter = "?") => `key NOT IN (${textsOf(parameter)})`;
  const due = (columnsOf: string, table: ItemTable, index: string) =>
    `SELECT ${columnsOf} FROM ${table} ${indexedBy(index)}
     WHERE is_archived = 0 AND due_ms <= ?1 AND ${exceptKeys("?2")} AND ${own} ORDER BY queued_at, key LIMIT ?3`;
  const totals = `queued, queued_bytes AS "queuedBytes", archived, archived_bytes AS "archivedBytes", evicted,
         evicted_bytes AS "evictedBytes"`;
  const uploads = (table: ItemTable, index: string) =>
    `SELECT key, upload_id AS "uploadId" FROM ${table} ${indexedBy(index)}
     WHERE upload_id IS NOT NULL AND key > ?1`;
  return {
    meta: one<{ value: string }, [string]>(`SELECT value FROM meta WHERE name = ? AND ${own}`),
    find: one<SqlRow, [string]>(`SELECT ${objectColumns} FROM archive_items WHERE sha256 = ? AND ${own}`),
    findAnywhere: one<FoundRow, [string]>(
      `SELECT ${objectColumns}, CASE WHEN ${own} THEN 0 ELSE 1 END AS "isForeign" FROM archive_items
       WHERE sha256 = ?1 AND (${own} OR is_archived = 1)
       UNION ALL SELECT ${recordingColumns}, 1 AS "isForeign" FROM archive_recordings WHERE sha256 = ?1 AND is_archived = 1
       ORDER BY "isForeign", key LIMIT 1`,
    ),
    due: one<SqlRow, [number, string, number]>(
      `SELECT * FROM (${due(objectColumns, "archive_items", "archive_queued")}) objects
       UNION ALL SELECT * FROM (${due(recordingColumns, "archive_recordings", "archive_recordings_queued")}) recordings
       ORDER BY "queuedAt", key LIMIT ?3`,
    ),
    after: one<SqlRow, [string, number]>(
      `SELECT ${objectColumns} FROM archive_items WHERE sha256 > ? AND ${own} ORDER BY sha256 LIMIT ?`,
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
    uploads: one<{ key: string; uploadId: string }, [string, number]>(
      `${uploads("archive_items", "archive_uploads")}
       UNION ALL ${uploads("archive_recordings", "archive_recordings_uploads")} ORDER BY key LIMIT ?2`,
    ),
    removals: one<ArchiveRemoval, [number, string, number]>(
      `SELECT key, size, upload_id AS "uploadId" FROM archive_removals ${indexedBy("archive_removals_due")}
       WHERE due_ms <= ? AND ${exceptKeys()} AND ${own} ORDER BY due_ms, key LIMIT ?`,
    ),
    totals: one<Omit<ArchiveTotals, "recordings">, []>(
      `SELECT ${totals}, removals,
         (SELECT min(queued_at) FROM (
           SELECT min(queued_at) AS queued_at FROM archive_items ${indexedBy("archive_queued")} WHERE is_archived = 0 AND ${own}
           UNION ALL SELECT min(queued_at) FROM archive_recordings ${indexedBy("archive_recordings_queued")} WHERE is_archived = 0 AND ${own}
         ) oldest) AS "oldestQueuedAt"
       FROM archive_totals WHERE ${own}`,
    ),
    recordingTotals: one<ItemTotals, []>(`SELECT ${totals} FROM archive_recording_totals WHERE ${own}`),
  };
}
