/** The table of sound and silence in the catalog. */
import type { SoundSpan, SpanCatalog, SpanQuery } from "./catalog.ts";
import { type SqlDatabase, upsert } from "../../sql/database.ts";

/** `source` as in the overviews. A span goes on for `ended_at` IS NULL. */
export const soundSchema = `
  CREATE TABLE sound_spans (
    source     TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    stream_id  INTEGER NOT NULL,
    device     TEXT,
    kind       TEXT    NOT NULL,
    ended_at   INTEGER,
    PRIMARY KEY (source, started_at, stream_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX sound_spans_open ON sound_spans (source) WHERE ended_at IS NULL;
`;

interface SqlRow {
  device: string | null;
  stream_id: number;
  kind: SoundSpan["kind"];
  started_at: number;
  ended_at: number | null;
}

export class SqlSpans implements SpanCatalog {
  readonly #statements: ReturnType<typeof prepareStatements>;

  /** Expects a database with the current schema. */
  constructor(database: SqlDatabase) {
    this.#statements = prepareStatements(database);
  }

  save(spans: readonly SoundSpan[]): void {
    for (const { device, streamId, kind, startedAt, endedAt } of spans) {
      const source = device ?? `#${streamId}`;
      const [start, end] = [Math.round(startedAt), endedAt === null ? null : Math.round(endedAt)];
      this.#statements.save.run(source, start, streamId, device, kind, end);
    }
  }

  endAll(): void {
    this.#statements.endAll.run();
  }

  list({ source, from, to, kind, after, limit }: SpanQuery): SoundSpan[] {
    const { startedAt, streamId } = after ?? { startedAt: -1, streamId: -1 };
    // PostgreSQL takes no part of a millisecond for a whole number.
    const page = [source, startedAt, streamId, from, Math.ceil(to), kind ?? null, limit] as const;
    return this.#statements.list.all(...page).map(toSpan);
  }
}

type Values = [string, number, number, string | null, string, number | null];
type Page = [string, number, number, number, number, string | null, number];

function prepareStatements(database: SqlDatabase) {
  const { greatest, own } = database.dialect;
  return {
    save: database.prepare<never, Values>(
      upsert("sound_spans", ["source", "started_at", "stream_id"], ["device", "kind", "ended_at"]),
    ),
    endAll: database.prepare<never, []>(
      `UPDATE sound_spans SET ended_at = ${greatest}(started_at, coalesce(
         (SELECT max(r.ended_at) FROM recordings r WHERE r.device = sound_spans.device
            AND r.started_at >= (SELECT max(started_at) FROM recordings WHERE device = sound_spans.device)),
         started_at))
       WHERE ended_at IS NULL AND ${own()}`,
    ),
    list: database.prepare<SqlRow, Page>(
      `SELECT device, stream_id, kind, started_at, ended_at FROM sound_spans
       WHERE source = ?1 AND (started_at, stream_id) > (?2, ?3)
         AND coalesce(ended_at, 9e15) > ?4 AND started_at < ?5 AND (CAST(?6 AS TEXT) IS NULL OR kind = ?6)
       ORDER BY started_at, stream_id LIMIT ?7`,
    ),
  };
}

function toSpan({ device, stream_id, kind, started_at, ended_at }: SqlRow): SoundSpan {
  return { device, streamId: stream_id, kind, startedAt: started_at, endedAt: ended_at };
}
