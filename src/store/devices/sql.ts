/** The table of devices in the catalog. */
import * as v from "valibot";
import type { DeviceCatalog, DeviceReport, DeviceRow } from "./catalog.ts";
import { type SqlDatabase, upsert } from "../sql/database.ts";

export const deviceSchema = `
  CREATE TABLE devices (
    id         TEXT    NOT NULL PRIMARY KEY,
    mode       INTEGER NOT NULL,
    report     TEXT,
    created_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

interface SqlRow {
  id: string;
  mode: number;
  /** JSON of a `DeviceReport`. */
  report: string | null;
  created_at: number;
  seen_at: number;
}

const reportSchema: v.GenericSchema<unknown, DeviceReport> = v.object({
  leds: v.pipe(v.array(v.number()), v.length(6)),
  pressed: v.pipe(v.array(v.boolean()), v.length(4)),
  battery: v.nullable(v.number()),
  at: v.number(),
});

export class SqlDevices implements DeviceCatalog {
  readonly #statements: ReturnType<typeof prepareStatements>;

  /** Expects a database with the current schema. */
  constructor(database: SqlDatabase) {
    this.#statements = prepareStatements(database);
  }

  enter({ deviceId, mode, report, createdAt, seenAt }: DeviceRow): void {
    const json = report === null ? null : JSON.stringify(report);
    this.#statements.enter.run(deviceId, mode, json, createdAt, seenAt);
  }

  remove(deviceId: string): void {
    this.#statements.remove.run(deviceId);
  }

  all(): DeviceRow[] {
    return this.#statements.all.all().map(toRow);
  }
}

function prepareStatements(database: SqlDatabase) {
  return {
    enter: database.prepare<never, [string, number, string | null, number, number]>(
      upsert("devices", ["id"], ["mode", "report", "created_at", "seen_at"]),
    ),
    remove: database.prepare<never, [string]>("DELETE FROM devices WHERE id = ?"),
    all: database.prepare<SqlRow, []>("SELECT * FROM devices ORDER BY seen_at, id"),
  };
}

function toRow(row: SqlRow): DeviceRow {
  return {
    deviceId: row.id,
    mode: row.mode,
    report: row.report === null ? null : v.parse(reportSchema, JSON.parse(row.report)),
    createdAt: row.created_at,
    seenAt: row.seen_at,
  };
}
