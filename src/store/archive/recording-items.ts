/**
 * The items of recordings: as those of objects (sql.ts), but one for each recording, whose `.wav` has a name of its own
 * here and in the bucket. Triggers keep them in step with the recordings.
 */
import { randomBytes } from "node:crypto";
import { inPinnedRange } from "../retention/sql.ts";
import type { SqlDatabase } from "../sql/database.ts";
import { countingTriggers, onFact } from "./object-schema.ts";
import type { EvictableRecording, RecordingItem, RecordingItems, RecordingPosition } from "./catalog.ts";

const isOn = `EXISTS (SELECT 1 FROM meta WHERE name = '${onFact}')`;
const columns = "recording, name, sha256, size, key, used_at, queued_at";
const newItem = `
    INSERT INTO archive_recordings (${columns})
    SELECT NEW.id, NEW.name, NEW.wav_sha256, NEW.wav_bytes,
      'recordings/' || NEW.name || '.' || lower(hex(randomblob(4))) || '.wav',
      max(NEW.read_at, NEW.ended_at), NEW.ended_at
    WHERE ${isOn};`;
const releaseItem = `
    INSERT OR IGNORE INTO archive_removals (key, size, upload_id)
    SELECT key, size, upload_id FROM archive_recordings WHERE recording = OLD.id;
    DELETE FROM archive_recordings WHERE recording = OLD.id;`;

export const recordingItemSchema = `
  CREATE TABLE archive_recordings (
    recording   INTEGER NOT NULL PRIMARY KEY,
    name        TEXT    NOT NULL,
    sha256      TEXT    NOT NULL,
    size        INTEGER NOT NULL,
    key         TEXT    NOT NULL,
    is_archived INTEGER NOT NULL DEFAULT 0,
    is_local    INTEGER NOT NULL DEFAULT 1,
    used_at     INTEGER NOT NULL,
    queued_at   INTEGER NOT NULL,
    due_ms      INTEGER NOT NULL DEFAULT 0,
    failures    INTEGER NOT NULL DEFAULT 0,
    upload_id   TEXT
  ) STRICT;
  CREATE INDEX archive_recordings_queued ON archive_recordings (queued_at) WHERE is_archived = 0;
  CREATE INDEX archive_recordings_by_content ON archive_recordings (sha256);
  CREATE INDEX archive_recordings_evictable ON archive_recordings (used_at, recording)
    WHERE is_archived = 1 AND is_local = 1;
  CREATE INDEX archive_recordings_uploads ON archive_recordings (sha256) WHERE upload_id IS NOT NULL;

  CREATE TRIGGER archive_recording_entered AFTER INSERT ON recordings BEGIN ${newItem}
  END;
  CREATE TRIGGER archive_recording_changed AFTER UPDATE OF name, wav_sha256 ON recordings BEGIN ${releaseItem} ${newItem}
  END;
  CREATE TRIGGER archive_recording_read AFTER UPDATE OF read_at ON recordings BEGIN
    UPDATE archive_recordings SET used_at = NEW.read_at WHERE recording = NEW.id AND used_at < NEW.read_at;
  END;
  CREATE TRIGGER archive_recording_released AFTER DELETE ON recordings BEGIN ${releaseItem}
  END;

  CREATE TABLE archive_recording_totals (
    one            INTEGER NOT NULL PRIMARY KEY,
    queued         INTEGER NOT NULL,
    queued_bytes   INTEGER NOT NULL,
    archived       INTEGER NOT NULL,
    archived_bytes INTEGER NOT NULL,
    evicted        INTEGER NOT NULL,
    evicted_bytes  INTEGER NOT NULL
  ) STRICT;
  INSERT INTO archive_recording_totals VALUES (1, 0, 0, 0, 0, 0, 0);
  ${countingTriggers("archive_recording", "archive_recordings", "archive_recording_totals")}
`;

/** A removal that has to wait is due at this running time (running-time.ts). */
export const removalDueColumn = `
  ALTER TABLE archive_removals ADD COLUMN due_ms INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX archive_removals_due ON archive_removals (due_ms, key);
`;

function keyOf(name: string): string {
  return `recordings/${name}.${randomBytes(4).toString("hex")}.wav`;
}

interface UnqueuedRow {
  id: number;
  name: string;
  sha256: string;
  size: number;
  usedAt: number;
}

export class SqlRecordingItems implements RecordingItems {
  readonly #statements: ReturnType<typeof prepareStatements>;

  /** Expects a database with the current schema. */
  constructor(database: SqlDatabase) {
    this.#statements = prepareStatements(database);
  }

  /** Queues recordings after this id that have no item. Returns the last one; undefined if there is none. */
  fillAfter(id: number, limit: number, at: number): number | undefined {
    const { unqueued, queue } = this.#statements;
    const rows = unqueued.all(id, limit);
    for (const row of rows)
      queue.run(row.id, row.name, row.sha256, row.size, keyOf(row.name), row.usedAt, at);
    return rows.at(-1)?.id;
  }

  setLocal(id: number, isLocal: boolean): boolean {
    return this.#statements.setLocal.get(isLocal ? 1 : 0, id) !== null;
  }

  evictable({ usedAt, id }: RecordingPosition, limit: number): (EvictableRecording & RecordingPosition)[] {
    return this.#statements.evictable.all(usedAt, id, limit);
  }

  enter(id: number, { name, sha256, size, key, isLocal }: RecordingItem): void {
    this.#statements.enter.run(id, name, sha256, size, key, isLocal ? 1 : 0, 0);
  }

  keyOf(id: number): string | undefined {
    return this.#statements.keyOf.get(id)?.key;
  }

  delayRemoval(key: string, dueMs: number): void {
    this.#statements.delayRemoval.run(dueMs, key);
  }

  lost(sha256: string): string[] {
    this.#statements.requeue.run(sha256);
    return this.#statements.evictedNames.all(sha256).map(({ name }) => name);
  }

  forget(): void {
    this.#statements.forget.run();
  }
}

function prepareStatements(database: SqlDatabase) {
  const { greatest, indexedBy } = database.dialect;
  const own = database.dialect.own();
  return {
    unqueued: database.prepare<UnqueuedRow, [number, number]>(
      `SELECT id, name, wav_sha256 AS sha256, wav_bytes AS size, ${greatest}(read_at, ended_at) AS "usedAt" FROM recordings
       WHERE id > ? AND ${own} ORDER BY id LIMIT ?`,
    ),
    queue: database.prepare<never, [number, string, string, number, string, number, number]>(
      `INSERT INTO archive_recordings (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    ),
    setLocal: database.prepare<{ recording: number }, [number, number]>(
      `UPDATE archive_recordings SET is_local = ? WHERE recording = ? AND is_archived = 1 AND ${own} RETURNING recording`,
    ),
    evictable: database.prepare<EvictableRecording & RecordingPosition, [number, number, number]>(
      `SELECT a.recording AS id, a.name, a.size, a.used_at AS "usedAt" FROM archive_recordings a ${indexedBy("archive_recordings_evictable")}
       JOIN recordings r ON r.id = a.recording
       WHERE a.is_archived = 1 AND a.is_local = 1 AND ${database.dialect.own("a")} AND (a.used_at, a.recording) > (?, ?)
         AND r.pinned = 0 AND NOT ${inPinnedRange}
       ORDER BY a.used_at, a.recording LIMIT ?`,
    ),
    enter: database.prepare<never, [number, string, string, number, string, number, number]>(
      `INSERT INTO archive_recordings (recording, name, sha256, size, key, is_archived, is_local, used_at, queued_at)
       VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?7)
       ON CONFLICT (recording) DO UPDATE SET key = excluded.key, is_archived = 1, is_local = excluded.is_local`,
    ),
    keyOf: database.prepare<{ key: string }, [number]>(
      `SELECT key FROM archive_recordings WHERE recording = ? AND ${own}`,
    ),
    delayRemoval: database.prepare<never, [number, string]>(
      `UPDATE archive_removals SET due_ms = ? WHERE key = ? AND ${own}`,
    ),
    requeue: database.prepare<never, [string]>(
      `UPDATE archive_recordings SET is_archived = 0, due_ms = 0, failures = 0
       WHERE sha256 = ? AND is_local = 1 AND ${own}`,
    ),
    evictedNames: database.prepare<{ name: string }, [string]>(
      `SELECT name FROM archive_recordings WHERE sha256 = ? AND is_local = 0 AND ${own} ORDER BY name`,
    ),
    forget: database.prepare<never, []>(`DELETE FROM archive_recordings WHERE ${own}`),
  };
}
