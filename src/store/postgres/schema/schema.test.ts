import { expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { postgresPrograms, postgresServer } from "../../../testing/harness/servers/postgres.ts";
import { migrations } from "../../streams/sqlite/schema.ts";
import { PostgresCatalog } from "../catalog.ts";
import { PostgresDatabase } from "../database.ts";

/** Only SQLite has these: its index of the search, and the key of tables with one row. */
const ofSqlite =
  /^(search_|sqlite_)|^(totals|recording_totals|archive_totals|archive_recording_totals)\.one$/;

function columnsOfSqlite(): string[] {
  const database = new Database(":memory:");
  for (const migration of migrations) database.run(migration);
  const columns = database
    .query<{ name: string }, []>(
      `SELECT t.name || '.' || c.name AS name FROM sqlite_schema t, pragma_table_xinfo(t.name) c WHERE t.type = 'table'`,
    )
    .all();
  return columns.map(({ name }) => name).filter((name) => !ofSqlite.test(name));
}

function columnsOfPostgres(): Set<string> {
  const url = postgresServer().createSchema();
  new PostgresCatalog({ url, node: "a" }).close();
  const database = new PostgresDatabase({ url, node: "a" }, () => {});
  const columns = database.prepare<{ name: string }, []>(
    `SELECT table_name || '.' || column_name AS name FROM information_schema.columns
     WHERE table_schema = current_schema()`,
  );
  const names = columns.all().map(({ name }) => name);
  database.close();
  return new Set(names);
}

test.skipIf(postgresPrograms === undefined)("PostgreSQL has every column that SQLite has", () => {
  const there = columnsOfPostgres();
  const expected = columnsOfSqlite();
  expect(expected.length).toBeGreaterThan(100);
  expect(expected.filter((name) => !there.has(name))).toEqual([]);
});

test.skipIf(postgresPrograms === undefined)("no index is slow to enter a value that many rows have", () => {
  const url = postgresServer().createSchema();
  new PostgresCatalog({ url, node: "a" }).close();
  const database = new PostgresDatabase({ url, node: "a" }, () => {});
  const indexes = database.prepare<{ name: string; kind: string }, []>(
    "SELECT indexname AS name, substring(indexdef FROM 'USING (\\w+)') AS kind FROM pg_indexes WHERE schemaname = current_schema()",
  );
  const all = indexes.all();
  database.close();
  expect(all.length).toBeGreaterThan(20);
  expect(all.filter(({ kind }) => kind !== "btree" && kind !== "gin")).toEqual([]);
});
