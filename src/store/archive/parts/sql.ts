/** The parts of unfinished uploads in the catalog. Triggers remove them with their streams, and with the items of objects. */
import { type SqlDatabase, type SqlValue } from "../../sql/database.ts";
import type { PartCatalog, PartedUpload, PartsRef, StoredUpload, UploadPart } from "./catalog.ts";

/** The item of the object of a stream has the upload in parts. */
const isAdopted = `EXISTS (
  SELECT 1 FROM streams s JOIN archive_items i ON i.sha256 = s.sha256 WHERE s.id = OLD.stream_id AND i.key = OLD.key)`;

/** `upload_id` is null without an upload in parts. Parts of a base have its key. */
export const partSchema = `
  CREATE TABLE parted_uploads (
    stream_id TEXT NOT NULL PRIMARY KEY,
    key       TEXT NOT NULL,
    upload_id TEXT,
    base_key  TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE upload_parts (
    key    TEXT    NOT NULL,
    number INTEGER NOT NULL,
    size   INTEGER NOT NULL,
    etag   TEXT    NOT NULL,
    crc32  TEXT    NOT NULL,
    sums   TEXT    NOT NULL,
    PRIMARY KEY (key, number)
  ) STRICT, WITHOUT ROWID;

  CREATE TRIGGER parted_stream_removed AFTER DELETE ON streams BEGIN
    DELETE FROM parted_uploads WHERE stream_id = OLD.id;
  END;
  CREATE TRIGGER parted_upload_ended AFTER DELETE ON parted_uploads BEGIN
    INSERT OR IGNORE INTO archive_removals (key, size, upload_id)
    SELECT OLD.key, 0, OLD.upload_id WHERE OLD.upload_id IS NOT NULL AND NOT ${isAdopted}
    UNION ALL SELECT OLD.base_key, 0, NULL WHERE OLD.base_key IS NOT NULL;
    DELETE FROM upload_parts WHERE key = OLD.base_key OR (key = OLD.key AND NOT ${isAdopted});
  END;
  CREATE TRIGGER parted_item_stored AFTER UPDATE OF upload_id ON archive_items
  WHEN OLD.upload_id IS NOT NULL AND NEW.upload_id IS NOT OLD.upload_id
  BEGIN
    DELETE FROM upload_parts WHERE key = NEW.key;
  END;
  CREATE TRIGGER parted_item_removed AFTER DELETE ON archive_items WHEN OLD.upload_id IS NOT NULL BEGIN
    DELETE FROM upload_parts WHERE key = OLD.key;
  END;
`;

interface UploadRow {
  key: string;
  uploadId: string | null;
  baseKey: string | null;
}

export class SqlParts implements PartCatalog {
  readonly #statements: ReturnType<typeof prepareStatements>;

  /** Expects a database with the current schema. */
  constructor(database: SqlDatabase) {
    this.#statements = prepareStatements(database);
  }

  find(streamId: string): StoredUpload | undefined {
    const row = this.#statements.find.get(streamId);
    if (row === null) return undefined;
    const { key, uploadId, baseKey } = row;
    const base = baseKey === null ? undefined : { key: baseKey, parts: this.partsOf(baseKey) };
    return { key, uploadId, parts: uploadId === null ? [] : this.partsOf(key), base };
  }

  partsOf(key: string): UploadPart[] {
    return this.#statements.partsOf.all(key);
  }

  begin({ streamId, key }: PartedUpload, ref: PartsRef): boolean {
    return this.#statements.begin.run(ref.key, ref.uploadId, streamId, key).changes === 1;
  }

  record({ streamId, key }: PartedUpload, ref: PartsRef, part: UploadPart): boolean {
    const { hasUpload, insertPart } = this.#statements;
    if (hasUpload.get(ref.key, streamId, key) === null) return false;
    const { number, size, etag, crc32, sums } = part;
    insertPart.run(ref.key, number, size, etag, crc32, sums);
    this.#dropBase(streamId, this.#statements.coveredBase);
    return true;
  }

  forget({ streamId, key }: PartedUpload): boolean {
    const { isOwn, removeUpload, forget } = this.#statements;
    if (isOwn.get(streamId, key) === null) return false;
    const stored = this.find(streamId);
    if (stored === undefined) return true;
    // It may be complete: then its object is still there.
    removeUpload.run(streamId);
    this.#keepParts(stored.key, 0);
    forget.run(streamId);
    return true;
  }

  trim(streamId: string, bytes: number): void {
    const stored = this.find(streamId);
    if (stored === undefined) return;
    this.#keepParts(stored.key, partsWithin(stored.parts, bytes));
    if (stored.base !== undefined && partsWithin(stored.base.parts, bytes) < stored.base.parts.length)
      this.#dropBase(streamId, this.#statements.anyBase);
  }

  rebase(streamId: string, key: string, count: number): void {
    const stored = this.find(streamId);
    if (stored === undefined) return;
    const { toBase, removeUpload } = this.#statements;
    if (stored.key !== key) {
      removeUpload.run(streamId);
      this.#keepParts(stored.key, 0);
    }
    if (stored.base !== undefined && stored.base.key !== key)
      this.#dropBase(streamId, this.#statements.anyBase);
    this.#keepParts(key, count);
    toBase.run(key, streamId);
  }

  adopt(streamId: string, at: number): void {
    this.#statements.adopt.run(at, streamId);
  }

  end(streamId: string): void {
    this.#statements.end.run(streamId);
  }

  uploads(after: string, limit: number): { streamId: string; uploadId: string }[] {
    return this.#statements.uploads.all(after, limit);
  }

  #keepParts(key: string, count: number): void {
    this.#statements.removeParts.run(key, count);
  }

  #dropBase(streamId: string, { removal, parts, base }: DropBase): void {
    removal.run(streamId);
    parts.run(streamId);
    base.run(streamId);
  }
}

/** How many of the parts lie within so many bytes from the beginning. */
function partsWithin(parts: readonly UploadPart[], bytes: number): number {
  let end = 0;
  const past = parts.findIndex(({ size }) => (end += size) > bytes);
  return past === -1 ? parts.length : past;
}

type DropBase = ReturnType<typeof dropBase>;

const on =
  (database: SqlDatabase) =>
  <R, P extends SqlValue[]>(sql: string) =>
    database.prepare<R, P>(sql);

function prepareStatements(database: SqlDatabase) {
  return { ...changes(database), ...queries(database) };
}

const sumOf = (key: string) => `(SELECT coalesce(sum(size), 0) FROM upload_parts p WHERE p.key = ${key})`;

function changes(database: SqlDatabase) {
  const one = on(database);
  const own = database.dialect.own();
  return {
    begin: one<never, [string, string, string, string]>(
      `INSERT INTO parted_uploads (stream_id, key, upload_id)
       SELECT id, ?1, ?2 FROM streams WHERE id = ?3 AND key = ?4 AND state < 2 AND ${own}
       ON CONFLICT (stream_id) DO UPDATE SET key = excluded.key, upload_id = excluded.upload_id`,
    ),
    insertPart: one<never, [string, number, number, string, string, string]>(
      `INSERT INTO upload_parts (key, number, size, etag, crc32, sums) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (key, number) DO UPDATE SET
         size = excluded.size, etag = excluded.etag, crc32 = excluded.crc32, sums = excluded.sums`,
    ),
    coveredBase: dropBase(database, `${sumOf("u.base_key")} <= ${sumOf("u.key")}`),
    anyBase: dropBase(database, "0 = 0"),
    forget: one<never, [string]>("UPDATE parted_uploads SET upload_id = NULL WHERE stream_id = ?"),
    removeParts: one<never, [string, number]>("DELETE FROM upload_parts WHERE key = ? AND number > ?"),
    removeUpload: one<never, [string]>(
      `INSERT INTO archive_removals (key, size, upload_id)
       SELECT key, 0, upload_id FROM parted_uploads WHERE stream_id = ? AND upload_id IS NOT NULL
       ON CONFLICT DO NOTHING`,
    ),
    toBase: one<never, [string, string]>(
      "UPDATE parted_uploads SET key = '', upload_id = NULL, base_key = ? WHERE stream_id = ?",
    ),
    adopt: one<never, [number, string]>(
      `INSERT INTO archive_items (sha256, size, key, upload_id, used_at, queued_at)
       SELECT s.sha256, s.size, u.key, u.upload_id, CAST(?1 AS bigint), CAST(?1 AS bigint)
       FROM streams s JOIN parted_uploads u ON u.stream_id = s.id
       WHERE s.id = ?2 AND s.state = 1 AND ${database.dialect.own("s")} AND u.upload_id IS NOT NULL
       ON CONFLICT DO NOTHING`,
    ),
    end: one<never, [string]>(
      `DELETE FROM parted_uploads WHERE stream_id = ?1 AND EXISTS (
         SELECT 1 FROM streams s WHERE s.id = ?1 AND ${database.dialect.own("s")})`,
    ),
  };
}

/** Which bases go is a condition on `u`. */
function dropBase(database: SqlDatabase, which: string) {
  const one = on(database);
  const found = `FROM parted_uploads u WHERE u.stream_id = ? AND u.base_key IS NOT NULL AND ${which}`;
  return {
    removal: one<never, [string]>(
      `INSERT INTO archive_removals (key, size, upload_id) SELECT u.base_key, 0, NULL ${found}
       ON CONFLICT DO NOTHING`,
    ),
    parts: one<never, [string]>(`DELETE FROM upload_parts WHERE key = (SELECT u.base_key ${found})`),
    base: one<never, [string]>(
      `UPDATE parted_uploads SET base_key = NULL WHERE stream_id = ? AND NOT EXISTS (
         SELECT 1 FROM upload_parts p WHERE p.key = parted_uploads.base_key)`,
    ),
  };
}

function queries(database: SqlDatabase) {
  const one = on(database);
  const { sameNode } = database.dialect;
  const own = database.dialect.own();
  return {
    find: one<UploadRow, [string]>(
      `SELECT key, upload_id AS "uploadId", base_key AS "baseKey" FROM parted_uploads WHERE stream_id = ?`,
    ),
    partsOf: one<UploadPart, [string]>(
      "SELECT number, size, etag, crc32, sums FROM upload_parts WHERE key = ? ORDER BY number",
    ),
    hasUpload: one<{ id: string }, [string, string, string]>(
      `SELECT id FROM streams WHERE id = ?2 AND key = ?3 AND ${own} AND (
         (state < 2 AND EXISTS (SELECT 1 FROM parted_uploads u WHERE u.stream_id = streams.id AND u.key = ?1))
         OR EXISTS (
           SELECT 1 FROM archive_items i
           WHERE i.sha256 = streams.sha256 AND i.key = ?1 AND i.is_archived = 0 AND ${sameNode("i", "streams")}))`,
    ),
    isOwn: one<{ id: string }, [string, string]>(
      `SELECT id FROM streams WHERE id = ? AND key = ? AND state < 2 AND ${own}`,
    ),
    uploads: one<{ streamId: string; uploadId: string }, [string, number]>(
      `SELECT stream_id AS "streamId", upload_id AS "uploadId" FROM parted_uploads
       WHERE stream_id > ? AND upload_id IS NOT NULL ORDER BY stream_id LIMIT ?`,
    ),
  };
}
