/**
 * The schema of the catalog in PostgreSQL, as a list of migrations. Never edit one that has been released: append. Nodes of
 * two versions run at once while they are replaced one by one, so a migration only adds. What a version does not need any
 * more is removed by a later release, whose migration becomes `oldestReader`: nodes from before it would miss that.
 */
import { WavecacheError } from "../../../base/errors.ts";
import type { PostgresDatabase } from "../database.ts";
import { archiveTables } from "./archive.ts";
import { archivedRecordingTables, removalDueColumn } from "./archived-recordings.ts";
import { nodeTasks } from "./nodes.ts";
import { partTables } from "./parts.ts";
import { recordingTables } from "./recordings.ts";
import { browserSessions, consumerOwners, sharedTables, tokenNews } from "./shared.ts";
import { streamTables } from "./streams.ts";

const migrations = [
  streamTables + recordingTables + sharedTables,
  archiveTables,
  tokenNews,
  consumerOwners,
  archivedRecordingTables,
  nodeTasks,
  partTables,
  removalDueColumn,
  browserSessions,
];

/** The number of the first migration that a node must know to read the catalog: those after it have only added. */
const oldestReader = 1;

/** Of the advisory lock that a node holds while it migrates: other nodes that start wait for it. */
const lock = 0x77617665;

/** Brings the catalog to the newest version. Throws STORE_TOO_NEW. */
export function migrate(database: PostgresDatabase): void {
  if (versionOf(database) >= migrations.length) return;
  database.script(`SELECT pg_advisory_lock(${lock})`);
  try {
    const found = versionOf(database);
    migrations.slice(found).forEach((migration, index) => {
      database.script(`BEGIN; ${migration}; ${setVersion(found + index + 1)}; COMMIT`);
    });
  } finally {
    database.script(`SELECT pg_advisory_unlock(${lock})`);
  }
}

function setVersion(version: number): string {
  return `CREATE TABLE IF NOT EXISTS catalog_version (version integer NOT NULL, oldest_reader integer NOT NULL);
    DELETE FROM catalog_version; INSERT INTO catalog_version VALUES (${version}, ${oldestReader})`;
}

interface VersionRow {
  version: number;
  oldestReader: number;
}

function versionOf(database: PostgresDatabase): number {
  const table = database.prepare<{ name: string | null }, []>(
    "SELECT to_regclass('catalog_version') AS name",
  );
  if (table.get()!.name === null) return 0;
  const row = database
    .prepare<VersionRow, []>(`SELECT version, oldest_reader AS "oldestReader" FROM catalog_version`)
    .get()!;
  if (row.oldestReader > migrations.length) {
    const detail = `the catalog has schema ${row.version}, for versions of schema ${row.oldestReader} on; this one knows ${migrations.length}`;
    throw new WavecacheError("STORE_TOO_NEW", detail);
  }
  return row.version;
}
