/**
 * Sessions and spans in the catalog. Spans are kept up to date with each segment, since a timeline must not
 * read a million segments.
 */
import type { Loss, RecordedWav, RecordingEntry } from "../../../base/recording-entry.ts";
import { spanOf } from "../../../base/recording-entry.ts";
import type {
  EndedConnection,
  LossRow,
  RecordedSource,
  RemovableRow,
  SegmentRow,
  SessionEnd,
  SourcePeriod,
  SpanRow,
  TimelineCatalog,
  TimelineQuery,
  TimelineRows,
  TimelineTotals,
} from "./catalog.ts";
import { type PlaceColumns, placeColumns, placeJoin, placeOf } from "../place.ts";
import { type Dialect, otherNode, type SqlDatabase } from "../../sql/database.ts";

/** A source is a device, or a stream without one. */
const sourceOfRow = "coalesce(device, '#' || stream_id)";

/**
 * Recordings of older versions have no sessions. They form one as long as each starts within 200 ms of the end of the
 * one before, and no frame was lost.
 */
export const timelineSchema = `
  CREATE TABLE recording_sessions (
    id             INTEGER PRIMARY KEY,
    key            TEXT    NOT NULL UNIQUE,
    source         TEXT    NOT NULL,
    stream_id      INTEGER NOT NULL,
    sample_rate    INTEGER NOT NULL,
    channels       INTEGER NOT NULL,
    start_us       INTEGER NOT NULL,
    run            TEXT    NOT NULL,
    stepped_ms     INTEGER NOT NULL,
    device_time_ms INTEGER,
    ended          TEXT
  ) STRICT;
  CREATE INDEX recording_sessions_by_source ON recording_sessions (source);
  CREATE TABLE recording_spans (
    session     INTEGER NOT NULL,
    first       INTEGER NOT NULL,
    past        INTEGER NOT NULL,
    segments    INTEGER NOT NULL,
    samples     INTEGER NOT NULL,
    lost_frames INTEGER NOT NULL,
    source      TEXT    NOT NULL,
    start_us    INTEGER NOT NULL,
    end_us      INTEGER NOT NULL,
    PRIMARY KEY (session, first)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX recording_spans_by_end ON recording_spans (source, end_us, start_us);
  CREATE INDEX recording_spans_by_start ON recording_spans (source, start_us);
  CREATE TABLE started_segments (name TEXT NOT NULL PRIMARY KEY, details TEXT NOT NULL) STRICT, WITHOUT ROWID;
  ALTER TABLE recordings ADD COLUMN session INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE recordings ADD COLUMN position INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE recordings ADD COLUMN span INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE recordings ADD COLUMN losses TEXT;

  WITH pairs AS (
    SELECT id, ${sourceOfRow} AS source, stream_id, started_at, samples,
           started_at - lag(started_at + samples * 1000.0 / sample_rate) OVER w AS late,
           lag(sample_rate) OVER w IS sample_rate AND lag(channels) OVER w IS channels
             AND lag(lost_frames) OVER w IS 0 AS fits
    FROM recordings
    WINDOW w AS (PARTITION BY ${sourceOfRow}, stream_id ORDER BY started_at, id)
  ), runs AS (
    SELECT *, sum(NOT fits OR abs(late) > 200) OVER (PARTITION BY source, stream_id ORDER BY started_at, id) AS run
    FROM pairs
  ), placed AS (
    SELECT id,
           first_value(id) OVER (PARTITION BY source, stream_id, run ORDER BY started_at, id) AS session,
           sum(samples) OVER (PARTITION BY source, stream_id, run ORDER BY started_at, id) - samples AS position
    FROM runs
  )
  UPDATE recordings SET session = placed.session, position = placed.position, span = samples
  FROM placed WHERE placed.id = recordings.id;
  INSERT INTO recording_sessions
  SELECT id, name, ${sourceOfRow}, stream_id, sample_rate, channels, started_at * 1000, '', 0, NULL, NULL
  FROM recordings WHERE session = id;
  INSERT INTO recording_spans
  SELECT s.id, 0, sum(r.span), count(*), sum(r.samples), sum(r.lost_frames), s.source, s.start_us,
         s.start_us + CAST(round(sum(r.span) * 1e6 / s.sample_rate) AS INTEGER)
  FROM recordings r JOIN recording_sessions s ON s.id = r.session GROUP BY s.id HAVING sum(r.span) > 0;

  CREATE INDEX recordings_by_position ON recordings (session, position);
  CREATE INDEX recordings_with_losses ON recordings (session, position) WHERE losses IS NOT NULL;
`;

interface StoredSpan {
  session: number;
  first: number;
  past: number;
  segments: number;
  samples: number;
  lost_frames: number;
}

type Piece = Omit<StoredSpan, "session">;

export interface PlacedRow {
  session: number;
  position: number;
  span: number;
  samples: number;
  lost_frames: number;
}

export class SqlTimeline implements TimelineCatalog {
  readonly #statements: ReturnType<typeof prepareStatements>;
  readonly #dialect: Dialect;

  constructor(database: SqlDatabase) {
    this.#dialect = database.dialect;
    this.#statements = prepareStatements(database);
  }

  sourceOf(name: string): string {
    const { hasSource } = this.#statements;
    return hasSource.get(name) === null && /^\d+$/.test(name) ? `#${name}` : name;
  }

  sources(after: string, limit: number): RecordedSource[] {
    const { nextSource, bounds } = this.#statements;
    const found: RecordedSource[] = [];
    // Steps from source to source by the index, whatever number of spans each has.
    for (let last = after; found.length < limit;) {
      const next = nextSource.get(last)?.source;
      if (next === undefined) return found;
      const device = next.startsWith("#") ? null : next;
      found.push({ device, ...bounds.get(next, next, next)! });
      last = next;
    }
    return found;
  }

  /** The session of a segment, inserted if it is new. */
  sessionOf({ device, streamId, sampleRate, channels, placement }: RecordingEntry): number {
    const { session, sessionStartUs, run, steppedMs, deviceTimeMs } = placement;
    const source = device ?? `#${streamId}`;
    const found = this.#statements.findSession.get(session);
    if (found !== null) return found.id;
    const values = [session, source, streamId, sampleRate, channels, sessionStartUs, run, steppedMs] as const;
    return this.#statements.addSession.get(...values, deviceTimeMs)!.id;
  }

  /** Extends the spans by a segment that was inserted. */
  add(session: number, recording: RecordingEntry): void {
    const { position: first } = recording.placement;
    const past = first + spanOf(recording);
    if (past === first) return;
    const { samples, lostFrames: lost_frames } = recording;
    const left = this.#statements.spanBefore.get(session, first);
    const right = this.#statements.spanAt.get(session, past);
    const joined = [left?.past === first ? left : null, right].filter((span) => span !== null);
    const piece = { first, past, segments: 1, samples, lost_frames };
    this.#put(session, joined.reduce<Piece>(join, piece), joined);
  }

  /** Takes a segment that was removed out of the spans. */
  remove({ session, position: first, span, samples, lost_frames }: PlacedRow): void {
    const past = first + span;
    const from = this.#statements.spanBefore.get(session, past);
    if (span > 0 && from !== null && from.first <= first && from.past >= past) {
      const rest = subtract(from, { first, past, segments: 1, samples, lost_frames });
      const left =
        rest.first === first
          ? undefined
          : rest.past === past
            ? { ...rest, past: first }
            : this.#count(session, from.first, first);
      const right = left === undefined ? { ...rest, first: past } : subtract({ ...rest, first: past }, left);
      this.#statements.removeSpan.run(session, from.first);
      for (const piece of [left, right])
        if (piece !== undefined && piece.past > piece.first) this.#put(session, piece, []);
    }
    this.#statements.removeSession.run(session, session);
  }

  read({ source, streamId, fromUs, toUs, limit }: TimelineQuery): TimelineRows {
    const { earliest, latest, spans, before, after, totals } = this.#statements;
    const stream = streamId ?? null;
    const first = earliest.get(source, stream, stream);
    const last = latest.get(source, stream, stream);
    const found = spans.all(source, stream, stream, fromUs, toUs, limit);
    const end = found.length === limit ? found.at(-1) : undefined;
    // A page continues after an end, so it has all spans that end there.
    if (end !== undefined)
      found.push(...this.#statements.ties.all(source, stream, stream, end.endUs, end.session));
    return {
      bounds: first === null || last === null ? undefined : { earliestUs: first.us, latestUs: last.us },
      spans: found,
      before: before.get(source, stream, stream, fromUs) ?? undefined,
      after: after.get(source, stream, stream, toUs, toUs) ?? undefined,
      losses: this.#lossesOf(found, limit),
      totals: totals.get(toUs, fromUs, source, stream, stream, fromUs, toUs)!,
    };
  }

  within({ source, streamId, fromUs, toUs }: SourcePeriod, limit: number): RemovableRow[] {
    const stream = streamId ?? null;
    const rows = this.#statements.within.all(source, stream, stream, toUs, fromUs, toUs, limit);
    return rows.map((row) => Object.assign(row, otherNode(this.#dialect, row)));
  }

  segments(session: number, first: number, past: number, limit: number): SegmentRow[] {
    const rows = this.#statements.segments.all(session, session, first, past, first, limit);
    return rows.map((row) => toSegment(row, this.#dialect));
  }

  nextSessionUs(source: string, afterUs: number): number | undefined {
    return this.#statements.nextSession.get(source, afterUs)?.us ?? undefined;
  }

  end({ connection, reason }: EndedConnection): void {
    this.#statements.end.run(reason, `${connection}.`, `${connection}/`);
  }

  #lossesOf(spans: readonly SpanRow[], limit: number): LossRow[] {
    const all: LossRow[] = [];
    for (const { session, first, past, lostFrames } of spans) {
      if (lostFrames === 0 || all.length >= limit) continue;
      const rows = this.#statements.losses.all(session, first, past, limit - all.length);
      for (const { position, losses } of rows) all.push({ session, position, losses: lossesOf(losses) });
    }
    return all;
  }

  /** What the segments between two positions amount to. */
  #count(session: number, first: number, past: number): Piece {
    return { first, past, ...this.#statements.count.get(session, first, past)! };
  }

  /** Inserts a span in place of others. */
  #put(session: number, piece: Piece, replaced: readonly StoredSpan[]): void {
    for (const { first } of replaced) this.#statements.removeSpan.run(session, first);
    const { first, past, segments, samples, lost_frames } = piece;
    this.#statements.addSpan.run(first, past, segments, samples, lost_frames, first, past, session);
  }
}

interface StoredSegment extends Omit<SegmentRow, "losses" | "wav" | "otherNode" | "archive">, PlaceColumns {
  losses: string | null;
  wav_bytes: number;
  wav_sha256: string;
  wav_checksum: string | null;
}

/** The `.wav` of a row. */
export function wavOf(row: Pick<StoredSegment, "wav_bytes" | "wav_sha256" | "wav_checksum">): RecordedWav {
  const checksum = row.wav_checksum === null ? {} : { checksum: row.wav_checksum };
  return { bytes: row.wav_bytes, sha256: row.wav_sha256, ...checksum };
}

function toSegment(row: StoredSegment, dialect: Dialect): SegmentRow {
  const { id, name, session, position, samples, losses } = row;
  const place = placeOf(row, dialect);
  return { ...place, id, name, session, position, samples, losses: lossesOf(losses), wav: wavOf(row) };
}

function lossesOf(text: string | null): readonly Loss[] {
  return text === null ? [] : (JSON.parse(text) as Loss[]);
}

function join(a: Piece, b: Piece): Piece {
  return {
    first: Math.min(a.first, b.first),
    past: Math.max(a.past, b.past),
    segments: a.segments + b.segments,
    samples: a.samples + b.samples,
    lost_frames: a.lost_frames + b.lost_frames,
  };
}

/** The counts of `a` without those of `b`; the positions of `a`. */
function subtract<T extends Piece>(a: T, b: Piece): T {
  return {
    ...a,
    segments: a.segments - b.segments,
    samples: a.samples - b.samples,
    lost_frames: a.lost_frames - b.lost_frames,
  };
}

const spanColumns = `
  p.session, s.key, p.first, p.past, p.segments, p.samples, p.lost_frames AS "lostFrames", p.start_us AS "startUs",
  p.end_us AS "endUs", s.sample_rate AS "sampleRate", s.channels, s.stream_id AS "streamId",
  s.start_us AS "sessionStartUs",
  s.run, s.stepped_ms AS "steppedMs", s.device_time_ms AS "deviceTimeMs", s.ended`;
const spanTables = `recording_spans p JOIN recording_sessions s ON s.id = p.session
  WHERE p.source = ? AND (CAST(? AS BIGINT) IS NULL OR s.stream_id = ?)`;
const timeOf = (position: string) => `start_us + CAST(round((${position}) * 1e6 / sample_rate) AS BIGINT)`;

/** PostgreSQL cannot tell the type of what is only selected. */
const bigints = Array.from({ length: 5 }, () => "CAST(? AS BIGINT)").join(", ");

type SpanArgs = [string, number | null, number | null, ...number[]];

function prepareStatements(database: SqlDatabase) {
  return {
    ...prepareReads(database),
    ...prepareWrites(database),
  };
}

function prepareReads(database: SqlDatabase) {
  const { greatest, least, nodeKey } = database.dialect;
  return {
    hasSource: database.prepare<{ source: string }, [string]>(
      "SELECT source FROM recording_spans WHERE source = ? LIMIT 1",
    ),
    nextSource: database.prepare<{ source: string }, [string]>(
      "SELECT source FROM recording_spans WHERE source > ? ORDER BY source LIMIT 1",
    ),
    nextSession: database.prepare<{ us: number | null }, [string, number]>(
      "SELECT min(start_us) AS us FROM recording_sessions WHERE source = ? AND start_us > ?",
    ),
    bounds: database.prepare<Omit<RecordedSource, "device">, [string, string, string]>(`
      SELECT (SELECT min(start_us) FROM recording_spans WHERE source = ?) AS "earliestUs",
             (SELECT max(end_us) FROM recording_spans WHERE source = ?) AS "latestUs",
             (SELECT stream_id FROM recording_sessions WHERE source = ? ORDER BY id DESC LIMIT 1) AS "streamId"
    `),
    earliest: database.prepare<{ us: number }, SpanArgs>(
      `SELECT p.start_us AS us FROM ${spanTables} ORDER BY p.start_us LIMIT 1`,
    ),
    latest: database.prepare<{ us: number }, SpanArgs>(
      `SELECT p.end_us AS us FROM ${spanTables} ORDER BY p.end_us DESC LIMIT 1`,
    ),
    spans: database.prepare<SpanRow, SpanArgs>(
      `SELECT ${spanColumns} FROM ${spanTables} AND p.end_us > ? AND p.start_us < ? ORDER BY p.end_us, p.session LIMIT ?`,
    ),
    ties: database.prepare<SpanRow, SpanArgs>(
      `SELECT ${spanColumns} FROM ${spanTables} AND p.end_us = ? AND p.session > ? ORDER BY p.session`,
    ),
    before: database.prepare<SpanRow, SpanArgs>(
      `SELECT ${spanColumns} FROM ${spanTables} AND p.end_us <= ? ORDER BY p.end_us DESC LIMIT 1`,
    ),
    after: database.prepare<SpanRow, SpanArgs>(
      `SELECT ${spanColumns} FROM ${spanTables} AND p.end_us > ? AND p.start_us >= ? ORDER BY p.end_us LIMIT 1`,
    ),
    losses: database.prepare<{ position: number; losses: string }, [number, number, number, number]>(
      `SELECT position, losses FROM recordings
       WHERE session = ? AND position >= ? AND position < ? AND losses IS NOT NULL ORDER BY position LIMIT ?`,
    ),
    totals: database.prepare<TimelineTotals, [number, number, ...SpanArgs]>(
      `SELECT count(*) AS spans, coalesce(sum(p.segments), 0) AS segments, coalesce(sum(p.lost_frames), 0) AS "lostFrames",
         coalesce(sum(${least}(p.end_us, ?) - ${greatest}(p.start_us, ?)), 0) AS "audioUs"
       FROM ${spanTables} AND p.end_us > ? AND p.start_us < ?`,
    ),
    within: database.prepare<RemovableRow & { node?: string }, SpanArgs>(
      `SELECT r.id, r.name, r.device, r.stream_id AS "streamId", r.file_bytes AS bytes${nodeKey.map((key) => `, r.${key}`).join("")}
       FROM (SELECT id AS session_id, start_us, sample_rate AS rate FROM recording_sessions
             WHERE source = ? AND (CAST(? AS BIGINT) IS NULL OR stream_id = ?) AND start_us < ?) s
       JOIN recordings r ON r.session = s.session_id
       WHERE ${timeOf("r.position")} >= ? AND ${timeOf("r.position + r.span")} <= ? LIMIT ?`,
    ),
    segments: database.prepare<StoredSegment, [number, number, number, number, number, number]>(
      `SELECT r.*, ${placeColumns} FROM recordings r ${placeJoin}
       WHERE r.session = ?
         AND r.position >= coalesce((SELECT max(position) FROM recordings WHERE session = ? AND position <= ?), 0)
         AND r.position < ? AND r.position + r.span > ?
       ORDER BY r.position, r.id LIMIT ?`,
    ),
  };
}

function prepareWrites(database: SqlDatabase) {
  return {
    findSession: database.prepare<{ id: number }, [string]>(
      "SELECT id FROM recording_sessions WHERE key = ?",
    ),
    addSession: database.prepare<
      { id: number },
      [string, string, number, number, number, number, string, number, number | null]
    >(
      `INSERT INTO recording_sessions
         (key, source, stream_id, sample_rate, channels, start_us, run, stepped_ms, device_time_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
    ),
    removeSession: database.prepare<never, [number, number]>(
      "DELETE FROM recording_sessions WHERE id = ? AND NOT EXISTS (SELECT 1 FROM recordings WHERE session = ?)",
    ),
    end: database.prepare<never, [SessionEnd, string, string]>(
      "UPDATE recording_sessions SET ended = ? WHERE key >= ? AND key < ?",
    ),
    spanBefore: database.prepare<StoredSpan, [number, number]>(
      "SELECT * FROM recording_spans WHERE session = ? AND first < ? ORDER BY first DESC LIMIT 1",
    ),
    spanAt: database.prepare<StoredSpan, [number, number]>(
      "SELECT * FROM recording_spans WHERE session = ? AND first = ?",
    ),
    addSpan: database.prepare<never, number[]>(
      `INSERT INTO recording_spans (session, first, past, segments, samples, lost_frames, source, start_us, end_us)
       SELECT id, ${bigints}, source, ${timeOf("?")}, ${timeOf("?")} FROM recording_sessions WHERE id = ?
       ON CONFLICT (session, first) DO UPDATE SET past = excluded.past, segments = excluded.segments,
         samples = excluded.samples, lost_frames = excluded.lost_frames, end_us = excluded.end_us`,
    ),
    removeSpan: database.prepare<never, [number, number]>(
      "DELETE FROM recording_spans WHERE session = ? AND first = ?",
    ),
    count: database.prepare<
      { segments: number; samples: number; lost_frames: number },
      [number, number, number]
    >(
      `SELECT count(*) AS segments, coalesce(sum(samples), 0) AS samples, coalesce(sum(lost_frames), 0) AS lost_frames
       FROM recordings WHERE session = ? AND position >= ? AND position < ?`,
    ),
  };
}
