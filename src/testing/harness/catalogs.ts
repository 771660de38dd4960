/** The implementations of the catalog, for suites that run over each. */
import { join } from "node:path";
import type { WavecacheError } from "../../base/errors.ts";
import { PostgresCatalog } from "../../store/postgres/catalog.ts";
import { PostgresDatabase } from "../../store/postgres/database.ts";
import type { SqlCatalog } from "../../store/streams/sql/catalog.ts";
import { SqliteCatalog } from "../../store/streams/sqlite/catalog.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { postgresPrograms, postgresServer } from "./servers/postgres.ts";

export interface OpenOptions {
  monotonicMs?: () => number;
  /** Several nodes share a catalog in PostgreSQL. */
  node?: string;
  onFault?: (error: WavecacheError) => void;
}

/** Where a catalog is kept. It is empty at first, and is gone at the end of the scope of `using`. */
export interface CatalogPlace extends Disposable {
  open(options?: OpenOptions): SqlCatalog;
  /** As if the node were dead: it has not renewed its lease in time. */
  expireLease(node: string): void;
}

export interface CatalogKind {
  name: string;
  create(): CatalogPlace;
}

export const sqliteKind: CatalogKind = { name: "in a SQLite file", create: createFile };
export const postgresKind: CatalogKind = { name: "in PostgreSQL", create: createSchema };

/** Those that can be tested here. */
export const catalogKinds: CatalogKind[] =
  postgresPrograms === undefined ? [sqliteKind] : [sqliteKind, postgresKind];

function createFile(): CatalogPlace {
  const folder = temporaryFolder();
  return {
    open: ({ monotonicMs, onFault } = {}) =>
      new SqliteCatalog(join(folder.path, "catalog.db"), monotonicMs, (error) =>
        onFault?.(error as WavecacheError),
      ),
    expireLease: () => {},
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

/** Migrations take longer than most tests, so places share a schema, one after the other. */
let schema: { url: string; admin: PostgresDatabase } | undefined;

const emptyTables = `DO $$ DECLARE each record; BEGIN
  FOR each IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema()
    AND tablename NOT IN ('catalog_version', 'event_sequence', 'token_version', 'session_version')
  LOOP EXECUTE 'DELETE FROM ' || each.tablename; END LOOP;
  -- Removals leave tasks.
  DELETE FROM node_tasks;
  PERFORM setval(format('%I.%I', schemaname, sequencename)::regclass, 1, false)
  FROM pg_sequences WHERE schemaname = current_schema();
  UPDATE event_sequence SET seq = 0;
END $$`;

function createSchema(): CatalogPlace {
  if (schema === undefined) {
    const url = postgresServer().createSchema();
    new PostgresCatalog({ url, node: "first" }).close();
    schema = { url, admin: new PostgresDatabase({ url, node: "admin" }, () => {}) };
  }
  const { url, admin } = schema;
  admin.script(emptyTables);
  return {
    open: ({ monotonicMs, node = "node", onFault } = {}) =>
      new PostgresCatalog({ url, node }, monotonicMs, onFault),
    expireLease: (node) =>
      admin.script(`UPDATE nodes SET lease_until = now() - interval '1 second' WHERE id = '${node}'`),
    [Symbol.dispose]: () => {},
  };
}
