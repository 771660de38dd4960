/** The table of recordings in the catalog. */
import {
  type Loss,
  type Placement,
  type RecordingEntry,
  spanOf,
  type StartedSegment,
} from "../../base/recording-entry.ts";
import type { RecordingCatalog, RecordingQuery, RecordingRow } from "./catalog.ts";
import { placeColumns, type PlaceColumns, placeJoin, placeOf } from "./place.ts";
import { type PlacedRow, SqlTimeline, wavOf } from "./timeline/sql.ts";
import { type Dialect, type SqlDatabase, upsert } from "../sql/database.ts";

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

/** They name the column with the bytes of a recording, so whoever changes that makes them anew. */
export const recordingAccountTriggers = `
  CREATE TRIGGER recording_accounts_inserted AFTER INSERT ON recordings WHEN NEW.account IS NOT NULL BEGIN
    INSERT INTO stored_bytes VALUES (NEW.account, NEW.file_bytes)
      ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes;
  END;
  CREATE TRIGGER recording_accounts_updated AFTER UPDATE OF bin_bytes, wav_bytes, samples ON recordings
  WHEN NEW.account IS NOT NULL
  BEGIN
    UPDATE stored_bytes SET bytes = bytes + NEW.file_bytes - OLD.file_bytes WHERE account = NEW.account;
  END;
  CREATE TRIGGER recording_accounts_deleted AFTER DELETE ON recordings WHEN OLD.account IS NOT NULL BEGIN
    UPDATE stored_bytes SET bytes = bytes - OLD.file_bytes WHERE account = OLD.account;
  END;
`;

/** Tokens have the bytes of streams and of recordings in one sum. */
export const recordingAccountSchema = `
  ALTER TABLE recordings ADD COLUMN account TEXT;
  ${recordingAccountTriggers}`;

/** Reads of older recordings compare the SHA-256. */
export const checksumColumn = "ALTER TABLE recordings ADD COLUMN wav_checksum TEXT";

interface SqlRow extends PlaceColumns {
  id: number;
  name: string;
  pinned: number;
  file_bytes: number;
  account: string | null;
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
  wav_checksum: string | null;
  /** All null if it was not measured. */
  peak: number | null;
  mean_square: number;
  clipped: number;
  losses: string | null;
  position: number;
  session_key: string;
  session_start_us: number;
  run: string;
  stepped_ms: number;
  device_time_ms: number | null;
}

type Values = (string | number | null)[];

const columns = [
  ..."name device stream_id codec sample_rate channels started_at ended_at frames samples gaps".split(" "),
  ..."lost_frames nibble_order nibble_order_by bin_bytes bin_sha256 wav_bytes wav_sha256".split(" "),
  ..."session position span losses wav_checksum account".split(" "),
];

export class SqlRecordings implements RecordingCatalog {
  readonly timeline: SqlTimeline;
  readonly #statements: ReturnType<typeof prepareStatements>;
  readonly #toRow: (row: SqlRow) => RecordingRow;

  /** Expects a database with the current schema. */
  constructor(database: SqlDatabase) {
    this.#statements = prepareStatements(database);
    this.timeline = new SqlTimeline(database);
    this.#toRow = (row) => toRow(row, database.dialect);
  }

  enter(recording: RecordingEntry): number {
    const replaced = this.#statements.has.get(recording.name);
    if (replaced !== null) this.remove(replaced.id);
    const account = recording.account ?? this.started(recording.name)?.account ?? replaced?.account;
    // A write, so that no other node removes the session once it is found.
    this.abandon(recording.name);
    const session = this.timeline.sessionOf(recording);
    const { id } = this.#statements.enter.get(...valuesOf(recording, session, account))!;
    this.timeline.add(session, recording);
    return id;
  }

  start(segment: StartedSegment): void {
    this.#statements.start.run(segment.name, JSON.stringify(segment));
  }

  started(name: string): StartedSegment | undefined {
    const row = this.#statements.started.get(name);
    return row === null ? undefined : (JSON.parse(row.details) as StartedSegment);
  }

  startedElsewhere(source: string): { name: string; node: string }[] {
    const hasDevice = !source.startsWith("#");
    const prefix = hasDevice ? `${source}/` : `stream_${source.slice(1)}_`;
    const rows = this.#statements.startedElsewhere.all(prefix, prefix.slice(0, -1) + nextOf(prefix.at(-1)!));
    const own = rows.filter(({ name }) => name.includes("/") === hasDevice);
    return own.map(({ name, node = "" }) => ({ name, node }));
  }

  abandon(name: string): void {
    this.#statements.abandon.run(name);
  }

  has(name: string): boolean {
    return this.#statements.has.get(name) !== null;
  }

  find(id: number): RecordingRow | undefined {
    const row = this.#statements.find.get(id);
    return row === null ? undefined : this.#toRow(row);
  }

  remove(id: number): void {
    const removed = this.#statements.remove.get(id);
    if (removed !== null) this.timeline.remove(removed);
  }

  removeAnywhere(id: number): boolean {
    const removed = this.#statements.removeAnywhere.get(id);
    if (removed !== null) this.timeline.remove(removed);
    return removed !== null;
  }

  after(id: number, limit: number): RecordingRow[] {
    return this.#statements.after.all(id, limit).map(this.#toRow);
  }

  list({ device, from, to, after, limit }: RecordingQuery): RecordingRow[] {
    const { startedAt, id } = after ?? { startedAt: from, id: -1 };
    const page = [startedAt, id, from, to, limit] as const;
    const rows =
      device === undefined
        ? this.#statements.list.all(...page)
        : this.#statements.listOfDevice.all(device, ...page);
    return rows.map(this.#toRow);
  }
}

/** The character after this one: where the names with a prefix end. */
function nextOf(character: string): string {
  return String.fromCharCode(character.charCodeAt(0) + 1);
}

/** With the facts of its session, and its level. */
const rowsOf = ({
  sameNode,
}: Dialect) => `SELECT r.*, s.key AS session_key, s.start_us AS session_start_us, s.run, s.stepped_ms, s.device_time_ms,
    o.peak, o.mean_square, o.clipped, ${placeColumns}
  FROM recordings r JOIN recording_sessions s ON s.id = r.session ${placeJoin}
  LEFT JOIN recording_overviews o
    ON o.source = coalesce(r.device, '#' || r.stream_id) AND o.started_at = r.started_at AND o.name = r.name AND ${sameNode("o", "r")}`;

function prepareStatements(database: SqlDatabase) {
  const { dialect } = database;
  const own = dialect.own();
  const rows = rowsOf(dialect);
  const pageCondition =
    "(r.started_at, r.id) > (?, ?) AND r.started_at >= ? AND r.started_at < ? ORDER BY r.started_at, r.id LIMIT ?";
  return {
    enter: database.prepare<{ id: number }, Values>(
      `INSERT INTO recordings (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")}) RETURNING id`,
    ),
    has: database.prepare<{ id: number; account: string | null }, [string]>(
      `SELECT id, account FROM recordings WHERE name = ? AND ${own}`,
    ),
    find: database.prepare<SqlRow, [number]>(`${rows} WHERE r.id = ?`),
    remove: database.prepare<PlacedRow, [number]>(
      `DELETE FROM recordings WHERE id = ? AND ${own} RETURNING session, position, span, samples, lost_frames`,
    ),
    removeAnywhere: database.prepare<PlacedRow, [number]>(
      "DELETE FROM recordings WHERE id = ? RETURNING session, position, span, samples, lost_frames",
    ),
    after: database.prepare<SqlRow, [number, number]>(
      `${rows} WHERE r.id > ? AND ${dialect.own("r")} ORDER BY r.id LIMIT ?`,
    ),
    list: database.prepare<SqlRow, [number, number, number, number, number]>(
      `${rows} WHERE ${pageCondition}`,
    ),
    listOfDevice: database.prepare<SqlRow, [string, number, number, number, number, number]>(
      `${rows} WHERE r.device = ? AND ${pageCondition}`,
    ),
    start: database.prepare<never, [string, string]>(
      upsert("started_segments", ["name"], ["details"], dialect.nodeKey),
    ),
    started: database.prepare<{ details: string }, [string]>(
      `SELECT details FROM started_segments WHERE name = ? AND ${own}`,
    ),
    startedElsewhere: database.prepare<{ name: string; node?: string }, [string, string]>(
      `SELECT * FROM started_segments WHERE name >= ? AND name < ? AND NOT (${own})`,
    ),
    abandon: database.prepare<never, [string]>(`DELETE FROM started_segments WHERE name = ? AND ${own}`),
  };
}

function valuesOf(recording: RecordingEntry, session: number, account: string | null | undefined): Values {
  const { position, losses } = recording.placement;
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
    session,
    position,
    spanOf(recording),
    losses.length === 0 ? null : JSON.stringify(losses),
    recording.wav.checksum ?? null,
    account ?? null,
  ];
}

function toRow(row: SqlRow, dialect: Dialect): RecordingRow {
  return {
    ...placeOf(row, dialect),
    id: row.id,
    isPinned: row.pinned === 1,
    fileBytes: row.file_bytes,
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
    placement: placementOf(row),
    bin: { bytes: row.bin_bytes, sha256: row.bin_sha256 },
    wav: wavOf(row),
    ...(row.account === null ? {} : { account: row.account }),
    ...(row.peak === null
      ? {}
      : { level: { peak: row.peak, meanSquare: row.mean_square, clipped: row.clipped } }),
  };
}

function placementOf(row: SqlRow): Placement {
  return {
    session: row.session_key,
    sessionStartUs: row.session_start_us,
    run: row.run,
    steppedMs: row.stepped_ms,
    deviceTimeMs: row.device_time_ms,
    position: row.position,
    losses: row.losses === null ? [] : (JSON.parse(row.losses) as Loss[]),
  };
}
