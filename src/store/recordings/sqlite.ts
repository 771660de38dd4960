/** The table of recordings in the catalog's SQLite file. */
import type { Database } from "bun:sqlite";
import type { RecordingEntry } from "../../base/recording-entry.ts";
import type { RecordingCatalog, RecordingQuery, RecordingRow } from "./catalog.ts";

export const recordingSchema = `
  CREATE TABLE recordings (
    id              INTEGER PRIMARY KEY,
    name            TEXT    NOT NULL UNIQUE,
    device          TEXT,
    stream_id       INTEGER NOT NULL,
    codec           TEXT    NOT NULL,
    sample_rate     INTEGER NOT NULL,
    channels        INTEGER NOT NULL,
    started_at      INTEGER NOT NULL,
    ended_at        INTEGER NOT NULL,
    frames          INTEGER NOT NULL,
    samples         INTEGER NOT NULL,
    gaps            INTEGER NOT NULL,
    lost_frames     INTEGER NOT NULL,
    nibble_order    TEXT,
    nibble_order_by TEXT,
    bin_bytes       INTEGER NOT NULL,
    bin_sha256      TEXT    NOT NULL,
    wav_bytes       INTEGER NOT NULL,
    wav_sha256      TEXT    NOT NULL
  ) STRICT;
  CREATE INDEX recordings_by_time ON recordings (started_at);
  CREATE INDEX recordings_by_device ON recordings (device, started_at) WHERE device IS NOT NULL;
`;

interface SqlRow {
  id: number;
  name: string;
  device: string | null;
  stream_id: number;
  codec: RecordingEntry["codec"];
  sample_rate: number;
  channels: number;
  started_at: number;
  ended_at: number;
  frames: number;
  samples: number;
  gaps: number;
  lost_frames: number;
  nibble_order: RecordingEntry["nibbleOrder"];
  nibble_order_by: RecordingEntry["nibbleOrderBy"];
  bin_bytes: number;
  bin_sha256: string;
  wav_bytes: number;
  wav_sha256: string;
}

type Values = (string | number | null)[];

const columns = [
  ..."name device stream_id codec sample_rate channels started_at ended_at frames samples gaps".split(" "),
  ..."lost_frames nibble_order nibble_order_by bin_bytes bin_sha256 wav_bytes wav_sha256".split(" "),
];

export class SqliteRecordings implements RecordingCatalog {
  readonly #statements: ReturnType<typeof prepareStatements>;

  /** Expects a database with the current schema. */
  constructor(database: Database) {
    this.#statements = prepareStatements(database);
  }

  enter(recording: RecordingEntry): void {
    this.#statements.enter.run(...valuesOf(recording));
  }

  has(name: string): boolean {
    return this.#statements.has.get(name) !== null;
  }

  find(id: number): RecordingRow | undefined {
    const row = this.#statements.find.get(id);
    return row === null ? undefined : toRow(row);
  }

  remove(id: number): void {
    this.#statements.remove.run(id);
  }

  after(id: number, limit: number): RecordingRow[] {
    return this.#statements.after.all(id, limit).map(toRow);
  }

  list({ device, from, to, after, limit }: RecordingQuery): RecordingRow[] {
    const { startedAt, id } = after ?? { startedAt: from, id: -1 };
    const page = [startedAt, id, from, to, limit] as const;
    const rows =
      device === undefined
        ? this.#statements.list.all(...page)
        : this.#statements.listOfDevice.all(device, ...page);
    return rows.map(toRow);
  }

  /** Finalizes the statements, which would keep the database open. */
  close(): void {
    for (const statement of Object.values(this.#statements)) statement.finalize();
  }
}

function prepareStatements(database: Database) {
  const pageCondition =
    "(started_at, id) > (?, ?) AND started_at >= ? AND started_at < ? ORDER BY started_at, id LIMIT ?";
  return {
    enter: database.prepare<never, Values>(
      `INSERT OR REPLACE INTO recordings (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`,
    ),
    has: database.prepare<{ id: number }, [string]>("SELECT id FROM recordings WHERE name = ?"),
    find: database.prepare<SqlRow, [number]>("SELECT * FROM recordings WHERE id = ?"),
    remove: database.prepare<never, [number]>("DELETE FROM recordings WHERE id = ?"),
    after: database.prepare<SqlRow, [number, number]>(
      "SELECT * FROM recordings WHERE id > ? ORDER BY id LIMIT ?",
    ),
    list: database.prepare<SqlRow, [number, number, number, number, number]>(
      `SELECT * FROM recordings WHERE ${pageCondition}`,
    ),
    listOfDevice: database.prepare<SqlRow, [string, number, number, number, number, number]>(
      `SELECT * FROM recordings WHERE device = ? AND ${pageCondition}`,
    ),
  };
}

function valuesOf(recording: RecordingEntry): Values {
  return [
    recording.name,
    recording.device,
    recording.streamId,
    recording.codec,
    recording.sampleRate,
    recording.channels,
    recording.startedAt,
    recording.endedAt,
    recording.frames,
    recording.samples,
    recording.gaps,
    recording.lostFrames,
    recording.nibbleOrder,
    recording.nibbleOrderBy,
    recording.bin.bytes,
    recording.bin.sha256,
    recording.wav.bytes,
    recording.wav.sha256,
  ];
}

function toRow(row: SqlRow): RecordingRow {
  return {
    id: row.id,
    name: row.name,
    device: row.device,
    streamId: row.stream_id,
    codec: row.codec,
    sampleRate: row.sample_rate,
    channels: row.channels,
    startedAt: row.started_at,
    endedAt: row.ended_at,
    frames: row.frames,
    samples: row.samples,
    gaps: row.gaps,
    lostFrames: row.lost_frames,
    nibbleOrder: row.nibble_order,
    nibbleOrderBy: row.nibble_order_by,
    bin: { bytes: row.bin_bytes, sha256: row.bin_sha256 },
    wav: { bytes: row.wav_bytes, sha256: row.wav_sha256 },
  };
}
