/** The schema of the catalog's SQLite file, as a list of migrations. Never edit one that has been released: append. */
import type { Database } from "bun:sqlite";
import { closeSync, fsyncSync, openSync, renameSync } from "node:fs";
import { dirname } from "node:path";
import { WavecacheError } from "../../../base/errors.ts";
import { partSchema } from "../../archive/parts/sql.ts";
import { recordingItemSchema, removalDueColumn } from "../../archive/recording-items.ts";
import { archiveSchema } from "../../archive/object-schema.ts";
import { soundSchema } from "../../recordings/sounds/sql.ts";
import { deviceSchema } from "../../devices/sql.ts";
import { consumerOwnerColumns } from "../../events/claims.ts";
import { consumerSeenColumn, deliverySchema } from "../../events/deliveries.ts";
import { eventSchema } from "../../events/sql.ts";
import { joinSchema } from "../../recordings/joins/sql.ts";
import { overviewSchema } from "../../recordings/peaks/sql.ts";
import { checksumColumn, recordingAccountSchema, recordingSchema } from "../../recordings/sql.ts";
import { accountSchema } from "../sql/accounts.ts";
import { searchSchema } from "./search-schema.ts";
import { removeFile, syncFolder } from "../../layout.ts";
import { baseName } from "./stream-names.ts";
import { timelineSchema } from "../../recordings/timeline/sql.ts";
import { sharedKeySchema } from "../../sessions/shared-keys.ts";
import { browserSessionSchema } from "../../sessions/sql.ts";
import { tokenSchema } from "../../tokens/sql.ts";
import { levelBytesSchema, recordingBytesSchema, retentionSchema } from "../../retention/sql.ts";

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

/** Facts about the store as a whole, by name. */
const metaTable = `
  CREATE TABLE meta (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
`;

/**
 * What a start needs without a scan. `epoch` is the run of the store in which row and file were last in step.
 * `touched_ms` is in running time (running-time.ts): older rows start with their whole time to live.
 */
const startColumns = `
  ALTER TABLE streams ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE streams ADD COLUMN touched_ms INTEGER NOT NULL DEFAULT 0;
  DROP INDEX streams_unfinished;
  CREATE INDEX streams_by_touch ON streams (touched_ms) WHERE state = 0;
  CREATE INDEX streams_unfinished_ids ON streams (id) WHERE state = 0;
  CREATE INDEX streams_sealed_ids ON streams (id) WHERE state = 1;
  CREATE INDEX streams_finished_ids ON streams (id) WHERE state = 2;
  CREATE INDEX streams_by_key ON streams (key) WHERE state < 2;
`;

/** Triggers keep the totals, so that no transaction can forget them. An object counts once, and only if not empty. */
const totalsTable = `
  CREATE TABLE totals (
    one              INTEGER NOT NULL PRIMARY KEY,
    finished         INTEGER NOT NULL,
    unfinished       INTEGER NOT NULL,
    unfinished_bytes INTEGER NOT NULL,
    objects          INTEGER NOT NULL,
    object_bytes     INTEGER NOT NULL
  ) STRICT;
  INSERT INTO totals
  SELECT 1,
         (SELECT count(*) FROM streams WHERE state = 2),
         (SELECT count(*) FROM streams WHERE state < 2),
         (SELECT coalesce(sum(size), 0) FROM streams WHERE state < 2),
         count(*), coalesce(sum(size), 0)
  FROM (SELECT DISTINCT sha256, size FROM streams WHERE state = 2 AND size > 0);

  CREATE TRIGGER streams_inserted AFTER INSERT ON streams BEGIN
    UPDATE totals SET
      finished = finished + (NEW.state = 2),
      unfinished = unfinished + (NEW.state < 2),
      unfinished_bytes = unfinished_bytes + iif(NEW.state < 2, NEW.size, 0);
  END;
  CREATE TRIGGER streams_updated AFTER UPDATE OF state, size ON streams BEGIN
    UPDATE totals SET
      finished = finished + (NEW.state = 2) - (OLD.state = 2),
      unfinished = unfinished + (NEW.state < 2) - (OLD.state < 2),
      unfinished_bytes = unfinished_bytes + iif(NEW.state < 2, NEW.size, 0) - iif(OLD.state < 2, OLD.size, 0);
  END;
  CREATE TRIGGER streams_deleted AFTER DELETE ON streams BEGIN
    UPDATE totals SET
      finished = finished - (OLD.state = 2),
      unfinished = unfinished - (OLD.state < 2),
      unfinished_bytes = unfinished_bytes - iif(OLD.state < 2, OLD.size, 0);
  END;
  CREATE TRIGGER objects_inserted AFTER INSERT ON streams
  WHEN NEW.state = 2 AND NEW.size > 0
    AND NOT EXISTS (SELECT 1 FROM streams WHERE sha256 = NEW.sha256 AND state = 2 AND id <> NEW.id)
  BEGIN
    UPDATE totals SET objects = objects + 1, object_bytes = object_bytes + NEW.size;
  END;
  CREATE TRIGGER objects_finished AFTER UPDATE OF state ON streams
  WHEN NEW.state = 2 AND OLD.state < 2 AND NEW.size > 0
    AND NOT EXISTS (SELECT 1 FROM streams WHERE sha256 = NEW.sha256 AND state = 2 AND id <> NEW.id)
  BEGIN
    UPDATE totals SET objects = objects + 1, object_bytes = object_bytes + NEW.size;
  END;
  CREATE TRIGGER objects_deleted AFTER DELETE ON streams
  WHEN OLD.state = 2 AND OLD.size > 0
    AND NOT EXISTS (SELECT 1 FROM streams WHERE sha256 = OLD.sha256 AND state = 2)
  BEGIN
    UPDATE totals SET objects = objects - 1, object_bytes = object_bytes - OLD.size;
  END;
`;

const nameIndex = `CREATE INDEX streams_by_name ON streams (${baseName}) WHERE metadata IS NOT NULL`;

/** Finished streams whose object was found to be damaged or missing. */
const damagedColumn = `
  ALTER TABLE streams ADD COLUMN damaged INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX streams_damaged ON streams (id) WHERE damaged = 1;
`;

/** The migration of each schema version; a file's version is the number of migrations applied to it. */
export const migrations = [
  streamSchema,
  recordingSchema,
  deviceSchema,
  metadataColumn,
  durableColumn,
  metaTable,
  startColumns,
  totalsTable,
  nameIndex,
  damagedColumn,
  overviewSchema,
  searchSchema,
  timelineSchema,
  eventSchema,
  tokenSchema,
  soundSchema,
  retentionSchema,
  deliverySchema,
  consumerSeenColumn,
  joinSchema,
  accountSchema,
  checksumColumn,
  recordingBytesSchema,
  recordingAccountSchema,
  levelBytesSchema,
  archiveSchema,
  consumerOwnerColumns,
  recordingItemSchema,
  partSchema,
  removalDueColumn,
  browserSessionSchema + sharedKeySchema,
];

/** The newest, which this version writes. */
export const schemaVersion = migrations.length;

/**
 * Brings the file to the newest version, and keeps a copy of an older one beside it. Returns whether the file was empty.
 * Throws STORE_TOO_NEW.
 */
export function migrate(database: Database, path: string): boolean {
  const found = database.query<{ user_version: number }, []>("PRAGMA user_version").get()!.user_version;
  const newest = schemaVersion;
  if (found > newest) {
    const detail = `${path} has schema ${found}; this version reads up to ${newest}`;
    throw new WavecacheError("STORE_TOO_NEW", detail);
  }
  // Without a change nothing is written: a full disk must not prevent the start.
  if (found === newest) return false;
  if (found > 0) keepCopy(database, path, `${path}.schema-${found}`);
  // The file is locked exclusively, so nobody has changed the version since.
  return database.transaction(() => {
    for (const migration of migrations.slice(found)) database.run(migration);
    database.run(`PRAGMA user_version = ${newest}`);
    return found === 0;
  })();
}

/** For an operator who goes back to an older version. A crash leaves the whole copy or none; one that exists is replaced. */
function keepCopy(database: Database, path: string, copy: string): void {
  if (path === ":memory:") return;
  const unfinished = `${copy}.tmp`;
  removeFile(unfinished);
  database.run("VACUUM INTO ?", [unfinished]);
  syncCopy(unfinished);
  renameSync(unfinished, copy);
  syncFolder(dirname(copy));
}

function syncCopy(path: string): void {
  const descriptor = openSync(path, "r+");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
