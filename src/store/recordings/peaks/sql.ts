/** The table of overviews in the catalog. */
import type { RecordedPeaks, RecordingEntry } from "../../../base/recording-entry.ts";
import type { LevelRow, OverviewQuery, OverviewRow, PeakCatalog } from "./catalog.ts";
import { type PlaceColumns, placeColumns, placeJoin, placeOf } from "../place.ts";
import type { MeasuredRow } from "./files.ts";
import { type Dialect, type SqlDatabase, upsert } from "../../sql/database.ts";

/** In the order in which a day is read. `source` is the device, or `#` and the stream id if the device has no id. */
export const overviewSchema = `
  CREATE TABLE recording_overviews (
    source            TEXT    NOT NULL,
    started_at        INTEGER NOT NULL,
    name              TEXT    NOT NULL,
    start_us          INTEGER NOT NULL,
    sample_rate       INTEGER NOT NULL,
    channels          INTEGER NOT NULL,
    samples_per_pixel INTEGER NOT NULL,
    overview          BLOB    NOT NULL,
    peak              INTEGER NOT NULL,
    mean_square       REAL    NOT NULL,
    clipped           INTEGER NOT NULL,
    PRIMARY KEY (source, started_at, name)
  ) STRICT, WITHOUT ROWID;
  CREATE TRIGGER recordings_overview_deleted AFTER DELETE ON recordings BEGIN
    DELETE FROM recording_overviews
    WHERE source = coalesce(OLD.device, '#' || OLD.stream_id) AND started_at = OLD.started_at AND name = OLD.name;
  END;
`;

/** What is known of the recording of an overview. */
interface RecordingColumns extends PlaceColumns {
  name: string;
  wav_bytes: number;
}

interface SqlRow extends RecordingColumns {
  started_at: number;
  start_us: number;
  sample_rate: number;
  channels: number;
  samples_per_pixel: number;
  overview: Uint8Array;
}

export class SqlOverviews implements PeakCatalog {
  readonly #statements: ReturnType<typeof prepareStatements>;
  readonly #dialect: Dialect;

  /** Expects a database with the current schema. */
  constructor(database: SqlDatabase) {
    this.#statements = prepareStatements(database);
    this.#dialect = database.dialect;
  }

  enter(recording: RecordingEntry, peaks: RecordedPeaks): void {
    const { name, startedAt, sampleRate, channels } = recording;
    const { samplesPerPixel, overview, peak, meanSquare, clipped } = peaks;
    // The recording may have been measured before.
    this.#statements.forget.run(name);
    const format = [startUsOf(recording), sampleRate, channels, samplesPerPixel] as const;
    const blob = Buffer.from(overview, "base64");
    this.#statements.enter.run(
      sourceOf(recording),
      startedAt,
      name,
      ...format,
      blob,
      peak,
      meanSquare,
      clipped,
    );
  }

  has(recording: Pick<RecordingEntry, "device" | "streamId" | "startedAt" | "name">): boolean {
    return this.#statements.has.get(sourceOf(recording), recording.startedAt, recording.name) !== null;
  }

  list(query: OverviewQuery): OverviewRow[] {
    const rows = this.#statements.list.all(...this.#pageOf(query));
    return rows.map((row) => toRow(row, this.#dialect));
  }

  listLevels(query: OverviewQuery): LevelRow[] {
    const rows = this.#statements.listLevels.all(...this.#pageOf(query));
    return rows.map((row) => Object.assign(row, recordingOf(row, this.#dialect)));
  }

  /** PostgreSQL takes no part of a millisecond for a whole number. */
  #pageOf({ source, from, to, after, limit }: OverviewQuery): Page {
    const wholeFrom = Math.floor(from);
    const first = this.#statements.last.get(source, wholeFrom)?.started_at ?? wholeFrom;
    const { startedAt, name } = after ?? { startedAt: first, name: "" };
    return [source, startedAt, name, Math.ceil(to), limit];
  }
}

type SqlLevelRow = Omit<LevelRow, keyof MeasuredRow> & RecordingColumns;

/** Source, the row before the page, the end of the range, and how many rows. */
type Page = [string, number, string, number, number];

const onePage = `WHERE source = ? AND (started_at, name) > (?, ?) AND started_at < ?
       ORDER BY started_at, name LIMIT ?`;

type Values = [string, number, string, number, number, number, number, Uint8Array, number, number, number];

/** Apart from the keys. */
const columns = "start_us sample_rate channels samples_per_pixel overview peak mean_square clipped".split(
  " ",
);

function prepareStatements(database: SqlDatabase) {
  const { dialect } = database;
  const own = dialect.own();
  const node = dialect.nodeKey.map((column) => `, o.${column}`).join("");
  const ofRecording = `coalesce(r.wav_bytes, 0) AS wav_bytes, ${placeColumns}${node}`;
  const recordingJoin = `LEFT JOIN recordings r ON r.name = o.name AND ${dialect.sameNode("o", "r")} ${placeJoin}`;
  return {
    forget: database.prepare<never, [string]>(
      `DELETE FROM recording_overviews WHERE ${own} AND (source, started_at, name) IN
       (SELECT coalesce(device, '#' || stream_id), started_at, name FROM recordings WHERE name = ? AND ${own})`,
    ),
    enter: database.prepare<never, Values>(
      upsert("recording_overviews", ["source", "started_at", "name"], columns, dialect.nodeKey),
    ),
    has: database.prepare<{ name: string }, [string, number, string]>(
      `SELECT name FROM recording_overviews WHERE source = ? AND started_at = ? AND name = ? AND ${own}`,
    ),
    last: database.prepare<{ started_at: number }, [string, number]>(
      `SELECT started_at FROM recording_overviews WHERE source = ? AND started_at <= ?
       ORDER BY started_at DESC LIMIT 1`,
    ),
    list: database.prepare<SqlRow, Page>(
      `SELECT o.name, o.started_at, o.start_us, o.sample_rate, o.channels, o.samples_per_pixel, o.overview, ${ofRecording}
       FROM (SELECT * FROM recording_overviews ${onePage}) o ${recordingJoin}
       ORDER BY o.started_at, o.name`,
    ),
    listLevels: database.prepare<SqlLevelRow, Page>(
      `SELECT o.name, o.started_at AS "startedAt", o.start_us AS "startUs", o.sample_rate AS "sampleRate", o.peak,
         o.mean_square AS "meanSquare", o.clipped, coalesce(r.samples, 0) AS samples, ${ofRecording}
       FROM (SELECT * FROM recording_overviews ${onePage}) o ${recordingJoin}
       ORDER BY o.started_at, o.name`,
    ),
  };
}

function sourceOf({ device, streamId }: Pick<RecordingEntry, "device" | "streamId">): string {
  return device ?? `#${streamId}`;
}

/** When its first sample was recorded, in µs since 1970. */
function startUsOf({ sampleRate, placement }: Pick<RecordingEntry, "sampleRate" | "placement">): number {
  return placement.sessionStartUs + Math.round((placement.position * 1_000_000) / sampleRate);
}

function recordingOf(row: RecordingColumns, dialect: Dialect): MeasuredRow {
  return { ...placeOf(row, dialect), name: row.name, wavBytes: row.wav_bytes };
}

function toRow(row: SqlRow, dialect: Dialect): OverviewRow {
  const { started_at, start_us, sample_rate, channels, samples_per_pixel } = row;
  const data = new Int16Array(new Uint8Array(row.overview).buffer);
  const overview = { sampleRate: sample_rate, channels, samplesPerPixel: samples_per_pixel, data };
  return { ...recordingOf(row, dialect), startedAt: started_at, startUs: start_us, overview };
}
