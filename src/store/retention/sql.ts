/** Retention in the catalog: columns of streams and recordings, and tables of its own. */
import { basePixelSamples } from "../../base/limits/peaks.ts";
import { maxCountedSharers } from "../../base/limits/retention.ts";
import { datHeaderBytes } from "../../codec/peaks/dat.ts";
import { levelBytes, levelsHeaderBytes } from "../../codec/peaks/levels.ts";
import type {
  Candidate,
  CandidatePosition,
  CandidateQuery,
  MeasuredRow,
  PinnedRange,
  ReadTime,
  RecordingTotals,
  RetainedKind,
  RetentionCatalog,
  UsageSample,
} from "./catalog.ts";
import { recordingAccountTriggers } from "../recordings/sql.ts";
import { type Dialect, type SqlDatabase, upsert } from "../sql/database.ts";

/** Statements must spell these as the indexes do. */
const streamUse = ({ greatest }: Dialect) => `${greatest}(read_at, finished_at)`;
const recordingUse = ({ greatest }: Dialect) => `${greatest}(read_at, ended_at)`;

/** Triggers keep the totals of recordings, so that no transaction can forget them. */
export const retentionSchema = `
  ALTER TABLE streams ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE streams ADD COLUMN read_at INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX streams_by_use ON streams (max(read_at, finished_at)) WHERE state = 2 AND pinned = 0;
  CREATE INDEX streams_by_age ON streams (finished_at) WHERE state = 2 AND pinned = 0;

  ALTER TABLE recordings ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE recordings ADD COLUMN read_at INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX recordings_by_use ON recordings (max(read_at, ended_at)) WHERE pinned = 0;
  CREATE INDEX recordings_by_age ON recordings (ended_at) WHERE pinned = 0;

  CREATE TABLE pinned_ranges (
    id      INTEGER PRIMARY KEY,
    device  TEXT    NOT NULL,
    from_at INTEGER NOT NULL,
    to_at   INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX pinned_ranges_by_device ON pinned_ranges (device, from_at);
  CREATE TABLE usage_samples (
    at              INTEGER PRIMARY KEY,
    stream_bytes    INTEGER NOT NULL,
    recording_bytes INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE recording_totals (
    one        INTEGER NOT NULL PRIMARY KEY,
    recordings INTEGER NOT NULL,
    bytes      INTEGER NOT NULL
  ) STRICT;
  INSERT INTO recording_totals SELECT 1, count(*), coalesce(sum(bin_bytes + wav_bytes), 0) FROM recordings;
  CREATE TRIGGER recordings_inserted AFTER INSERT ON recordings BEGIN
    UPDATE recording_totals SET recordings = recordings + 1, bytes = bytes + NEW.bin_bytes + NEW.wav_bytes;
  END;
  CREATE TRIGGER recordings_updated AFTER UPDATE OF bin_bytes, wav_bytes ON recordings BEGIN
    UPDATE recording_totals
    SET bytes = bytes + NEW.bin_bytes + NEW.wav_bytes - OLD.bin_bytes - OLD.wav_bytes;
  END;
  CREATE TRIGGER recordings_deleted AFTER DELETE ON recordings BEGIN
    UPDATE recording_totals SET recordings = recordings - 1, bytes = bytes - OLD.bin_bytes - OLD.wav_bytes;
  END;
`;

const recordingFiles = `bin_bytes + wav_bytes + ${datHeaderBytes}
    + 4 * channels * ((samples + ${basePixelSamples - 1}) / ${basePixelSamples})`;
/** Of blocks of 100 ms, as `levelBlockFrames` has them. */
const levelBlock = "coalesce(nullif((sample_rate + 5) / 10, 0), 1)";
const levelsFile = `${levelsHeaderBytes} + ${levelBytes} * ((samples + ${levelBlock} - 1) / ${levelBlock})`;
/** Bytes of all files of a recording, for each engine of the catalog. */
export const recordingFileBytes = `${recordingFiles} + ${levelsFile}`;

function dropTriggers(prefix: string): string {
  return ["inserted", "updated", "deleted"].map((what) => `DROP TRIGGER ${prefix}_${what};`).join(" ");
}

const countRecordings = `
  UPDATE recording_totals SET bytes = (SELECT coalesce(sum(file_bytes), 0) FROM recordings);
  CREATE TRIGGER recordings_inserted AFTER INSERT ON recordings BEGIN
    UPDATE recording_totals SET recordings = recordings + 1, bytes = bytes + NEW.file_bytes;
  END;
  CREATE TRIGGER recordings_updated AFTER UPDATE OF bin_bytes, wav_bytes, samples ON recordings BEGIN
    UPDATE recording_totals SET bytes = bytes + NEW.file_bytes - OLD.file_bytes;
  END;
  CREATE TRIGGER recordings_deleted AFTER DELETE ON recordings BEGIN
    UPDATE recording_totals SET recordings = recordings - 1, bytes = bytes - OLD.file_bytes;
  END;
`;

/** What the files of a recording take: the frames, the samples and the peaks, whose header and pixels have a fixed size. */
export const recordingBytesSchema = `
  ALTER TABLE recordings ADD COLUMN file_bytes INTEGER GENERATED ALWAYS AS (${recordingFiles}) VIRTUAL;
  ${dropTriggers("recordings")}
  ${countRecordings}
`;

/** The same, and the levels. The triggers name the column, so they go before it. */
export const levelBytesSchema = `
  ${dropTriggers("recordings")}
  ${dropTriggers("recording_accounts")}
  ALTER TABLE recordings DROP COLUMN file_bytes;
  ALTER TABLE recordings ADD COLUMN file_bytes INTEGER GENERATED ALWAYS AS (${recordingFileBytes}) VIRTUAL;
  UPDATE stored_bytes SET bytes = bytes
    + (SELECT coalesce(sum(${levelsFile}), 0) FROM recordings WHERE recordings.account = stored_bytes.account);
  ${countRecordings}
  ${recordingAccountTriggers}
`;

type Position = [at: number, id: string | number, limit: number];

export class SqlRetention implements RetentionCatalog {
  readonly #candidates: ReturnType<typeof prepareCandidates>;
  readonly #statements: ReturnType<typeof prepareStatements>;

  /** Expects a database with the current schema. */
  constructor(database: SqlDatabase) {
    this.#candidates = prepareCandidates(database);
    this.#statements = prepareStatements(database);
  }

  candidates({ kind, order, after, limit }: CandidateQuery): Candidate[] {
    const { at, id } = after ?? firstPosition(kind, order === "newest");
    return this.#candidates[`${kind} by ${order}`].all(at, id, limit);
  }

  measure(kind: RetainedKind, after: string | number, limit: number): MeasuredRow[] {
    const { measureStreams, measureRecordings } = this.#statements;
    return (kind === "streams" ? measureStreams : measureRecordings).all(after, limit);
  }

  recordingTotals(): RecordingTotals {
    return this.#statements.recordingTotals.get()!;
  }

  noteReads(kind: RetainedKind, reads: readonly ReadTime[]): void {
    const { streamRead, recordingRead } = this.#statements;
    const note = kind === "streams" ? streamRead : recordingRead;
    // In one order: nodes that note reads of the same rows do not wait for each other in a circle.
    for (const { id, at } of reads.toSorted(byId)) note.run(at, id);
  }

  pinStream(streamId: string, isPinned: boolean): boolean {
    return this.#statements.pinStream.get(isPinned ? 1 : 0, streamId) !== null;
  }

  pinRecording(id: number, isPinned: boolean): boolean {
    return this.#statements.pinRecording.get(isPinned ? 1 : 0, id) !== null;
  }

  pinRange({ device, from, to }: PinnedRange, isPinned: boolean): number {
    const { overlapping, removeRange, addRange, countRanges } = this.#statements;
    let [start, end] = [from, to];
    for (const range of overlapping.all(device, to, from)) {
      removeRange.run(range.id);
      if (isPinned) [start, end] = [Math.min(start, range.from_at), Math.max(end, range.to_at)];
      else {
        if (range.from_at < from) addRange.run(device, range.from_at, from);
        if (range.to_at > to) addRange.run(device, to, range.to_at);
      }
    }
    if (isPinned) addRange.run(device, start, end);
    return countRanges.get()!.count;
  }

  pinnedRanges(): PinnedRange[] {
    return this.#statements.ranges
      .all()
      .map(({ device, from_at: from, to_at: to }) => ({ device, from, to }));
  }

  isRecordingPinned(id: number): boolean {
    return this.#statements.pinnedRecording.get(id) !== null;
  }

  addSample({ at, streamBytes, recordingBytes }: UsageSample, since: number): void {
    this.#statements.addSample.run(at, streamBytes, recordingBytes);
    this.#statements.forgetSamples.run(since);
  }

  samples(): UsageSample[] {
    return this.#statements.samples.all();
  }
}

function byId(one: ReadTime, other: ReadTime): number {
  return one.id < other.id ? -1 : 1;
}

function firstPosition(kind: RetainedKind, isBackwards: boolean): CandidatePosition {
  return { at: isBackwards ? Number.MAX_SAFE_INTEGER : 0, id: kind === "streams" ? "" : -1 };
}

/** A recording of a pinned range of its device. */
export const inPinnedRange = `EXISTS (
  SELECT 1 FROM pinned_ranges p
  WHERE p.device = r.device AND p.from_at < r.ended_at AND p.to_at > r.started_at)`;

export const deviceName = "coalesce(r.device, CAST(r.stream_id AS TEXT))";

/** What follows a position in an order. */
function page(key: string, isBackwards = false): string {
  if (isBackwards) return `${key} <= ?1 AND (${key}, id) < (?1, ?2) ORDER BY ${key} DESC, id DESC LIMIT ?3`;
  return `${key} >= ?1 AND (${key}, id) > (?1, ?2) ORDER BY ${key}, id LIMIT ?3`;
}

function prepareCandidates(database: SqlDatabase) {
  const { dialect } = database;
  const { indexedBy, own } = dialect;
  const [streamUsed, recordingUsed] = [streamUse(dialect), recordingUse(dialect)];
  const streams = (index: "use" | "age", where: string) =>
    database.prepare<Candidate, Position>(`
      SELECT id, id AS name, key, finished_at AS "madeAt", ${streamUsed} AS "usedAt", size AS bytes, sha256,
        (SELECT count(*) FROM (
          SELECT 1 FROM streams o ${indexedBy("streams_by_object")}
          WHERE o.sha256 IS NOT NULL AND o.sha256 = s.sha256 AND ${own("o")} LIMIT ${maxCountedSharers}) AS shared) AS sharers
      FROM streams s ${indexedBy(`streams_by_${index}`)} WHERE state = 2 AND pinned = 0 AND ${own()} AND ${where}`);
  const recordings = (index: "use" | "age", where: string) =>
    database.prepare<Candidate, Position>(`
      SELECT id, ${deviceName} AS name, '' AS key, ended_at AS "madeAt", ${recordingUsed} AS "usedAt",
        file_bytes AS bytes, NULL AS sha256, 1 AS sharers
      FROM recordings r ${indexedBy(`recordings_by_${index}`)}
      WHERE pinned = 0 AND ${own()} AND NOT ${inPinnedRange} AND ${where}`);
  return {
    "streams by use": streams("use", page(streamUsed)),
    "streams by age": streams("age", page("finished_at")),
    "streams by newest": streams("age", page("finished_at", true)),
    "recordings by use": recordings("use", page(recordingUsed)),
    "recordings by age": recordings("age", page("ended_at")),
    "recordings by newest": recordings("age", page("ended_at", true)),
  };
}

function prepareStatements(database: SqlDatabase) {
  const { dialect } = database;
  const own = dialect.own();
  const one = <R, P extends (string | number)[]>(sql: string) => database.prepare<R, P>(sql);
  return {
    measureStreams: one<MeasuredRow, [string | number, number]>(
      `SELECT id, id AS name, size AS bytes, sha256 FROM streams WHERE id > ? AND ${own} ORDER BY id LIMIT ?`,
    ),
    measureRecordings: one<MeasuredRow, [string | number, number]>(
      `SELECT id, ${deviceName} AS name, file_bytes AS bytes, NULL AS sha256
       FROM recordings r WHERE id > ? AND ${own} ORDER BY id LIMIT ?`,
    ),
    recordingTotals: one<RecordingTotals, []>(`SELECT recordings, bytes FROM recording_totals WHERE ${own}`),
    streamRead: one<never, [number, string | number]>(
      "UPDATE streams SET read_at = ?1 WHERE id = ?2 AND state = 2 AND read_at < ?1",
    ),
    recordingRead: one<never, [number, string | number]>(
      "UPDATE recordings SET read_at = ?1 WHERE id = ?2 AND read_at < ?1",
    ),
    pinStream: one<{ id: string }, [number, string]>(
      "UPDATE streams SET pinned = ? WHERE id = ? AND state = 2 RETURNING id",
    ),
    pinRecording: one<{ id: number }, [number, number]>(
      "UPDATE recordings SET pinned = ? WHERE id = ? RETURNING id",
    ),
    overlapping: one<{ id: number; from_at: number; to_at: number }, [string, number, number]>(
      "SELECT id, from_at, to_at FROM pinned_ranges WHERE device = ? AND from_at < ? AND to_at > ?",
    ),
    removeRange: one<never, [number]>("DELETE FROM pinned_ranges WHERE id = ?"),
    addRange: one<never, [string, number, number]>(
      "INSERT INTO pinned_ranges (device, from_at, to_at) VALUES (?, ?, ?)",
    ),
    countRanges: one<{ count: number }, []>("SELECT count(*) AS count FROM pinned_ranges"),
    ranges: one<{ device: string; from_at: number; to_at: number }, []>(
      "SELECT device, from_at, to_at FROM pinned_ranges ORDER BY device, from_at",
    ),
    pinnedRecording: one<{ id: number }, [number]>(
      `SELECT id FROM recordings r WHERE id = ? AND (pinned = 1 OR ${inPinnedRange})`,
    ),
    addSample: one<never, [number, number, number]>(
      upsert("usage_samples", ["at"], ["stream_bytes", "recording_bytes"], dialect.nodeKey),
    ),
    forgetSamples: one<never, [number]>(`DELETE FROM usage_samples WHERE at < ? AND ${own}`),
    samples: one<UsageSample, []>(
      `SELECT at, stream_bytes AS "streamBytes", recording_bytes AS "recordingBytes" FROM usage_samples
       WHERE ${own} ORDER BY at`,
    ),
  };
}
