/** The tables of the archive. Triggers keep the items of objects in step with the streams. */

/** The fact of `meta` that the archive is on: items follow streams and recordings only while it is there. */
export const onFact = "archive_on";

const newKey = (sha256: string) =>
  `'objects/' || substr(${sha256}, 1, 2) || '/' || ${sha256} || '.' || lower(hex(randomblob(4)))`;

/** Column values of an object that is queued. */
const newItem = (row: string) => `${row}.sha256, ${row}.size, ${newKey(`${row}.sha256`)}`;

/** Triggers that keep the totals of a table of items; `name` begins their names. */
export function countingTriggers(name: string, table: string, totals: string): string {
  return `
  CREATE TRIGGER ${name}_inserted AFTER INSERT ON ${table} BEGIN
    UPDATE ${totals} SET
      queued = queued + 1 - NEW.is_archived,
      queued_bytes = queued_bytes + (1 - NEW.is_archived) * NEW.size,
      archived = archived + NEW.is_archived,
      archived_bytes = archived_bytes + NEW.is_archived * NEW.size,
      evicted = evicted + 1 - NEW.is_local,
      evicted_bytes = evicted_bytes + (1 - NEW.is_local) * NEW.size;
  END;
  CREATE TRIGGER ${name}_updated AFTER UPDATE OF is_archived, is_local ON ${table} BEGIN
    UPDATE ${totals} SET
      queued = queued + OLD.is_archived - NEW.is_archived,
      queued_bytes = queued_bytes + (OLD.is_archived - NEW.is_archived) * NEW.size,
      archived = archived + NEW.is_archived - OLD.is_archived,
      archived_bytes = archived_bytes + (NEW.is_archived - OLD.is_archived) * NEW.size,
      evicted = evicted + OLD.is_local - NEW.is_local,
      evicted_bytes = evicted_bytes + (OLD.is_local - NEW.is_local) * NEW.size;
  END;
  CREATE TRIGGER ${name}_deleted AFTER DELETE ON ${table} BEGIN
    UPDATE ${totals} SET
      queued = queued - 1 + OLD.is_archived,
      queued_bytes = queued_bytes - (1 - OLD.is_archived) * OLD.size,
      archived = archived - OLD.is_archived,
      archived_bytes = archived_bytes - OLD.is_archived * OLD.size,
      evicted = evicted - 1 + OLD.is_local,
      evicted_bytes = evicted_bytes - (1 - OLD.is_local) * OLD.size;
  END;`;
}

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
  ${countingTriggers("archive_item", "archive_items", "archive_totals")}
  CREATE TRIGGER archive_removal_inserted AFTER INSERT ON archive_removals BEGIN
    UPDATE archive_totals SET removals = removals + 1;
  END;
  CREATE TRIGGER archive_removal_deleted AFTER DELETE ON archive_removals BEGIN
    UPDATE archive_totals SET removals = removals - 1;
  END;
`;
