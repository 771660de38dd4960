/** Joins in the catalog. */
import { type RecordingEntry, spanOf } from "../../../base/recording-entry.ts";
import type { RecordingRow } from "../catalog.ts";
import type { JoinCatalog, JoinNote } from "./catalog.ts";
import type { SqlDatabase } from "../../sql/database.ts";

export const joinSchema = `
  CREATE TABLE recording_joins (
    name      TEXT NOT NULL PRIMARY KEY,
    sources   TEXT NOT NULL,
    joined_at INTEGER
  ) STRICT, WITHOUT ROWID;
`;

export class SqlJoins implements JoinCatalog {
  readonly #statements: ReturnType<typeof prepareStatements>;
  readonly #find: (id: number) => RecordingRow | undefined;

  /** `find` finds a recording. */
  constructor(database: SqlDatabase, find: (id: number) => RecordingRow | undefined) {
    this.#statements = prepareStatements(database);
    this.#find = find;
  }

  firstFrom(startedAt: number): number | undefined {
    return this.#statements.first.get(startedAt)?.at ?? undefined;
  }

  sessions(from: number, to: number): number[] {
    return this.#statements.sessions.all(from, to).map(({ session }) => session);
  }

  candidates(session: number, from: number, to: number): RecordingRow[] {
    const ids = this.#statements.candidates.all(session, from, to);
    return ids.flatMap(({ id }) => this.#find(id) ?? []);
  }

  note(name: string, sources: readonly string[]): void {
    this.#statements.note.run(name, JSON.stringify(sources));
  }

  notes(): JoinNote[] {
    return this.#statements.notes.all().map(({ name, sources, joinedAt }) => {
      return { name, sources: JSON.parse(sources) as string[], joinedAt };
    });
  }

  forget(name: string): void {
    this.#statements.forget.run(name);
  }

  replace(rows: readonly RecordingRow[], joined: RecordingEntry, at: number): boolean {
    const [first, ...others] = rows;
    const { losses, position } = joined.placement;
    this.#statements.forgetOverview.run(first!.id);
    // After this first write no other node removes one of them before the end of the transaction.
    if (!rows.every(({ id }) => this.#find(id) !== undefined)) return false;
    for (const { id } of others) this.#statements.remove.run(id);
    this.#statements.update.run(
      joined.name,
      joined.endedAt,
      joined.frames,
      joined.samples,
      joined.gaps,
      joined.lostFrames,
      joined.bin.bytes,
      joined.bin.sha256,
      joined.wav.bytes,
      joined.wav.sha256,
      joined.wav.checksum ?? null,
      spanOf(joined),
      losses.length === 0 ? null : JSON.stringify(losses),
      first!.id,
    );
    this.#statements.countSpan.run(others.length, first!.id, position, position);
    this.#statements.joined.run(at, joined.name);
    return true;
  }
}

function prepareStatements(database: SqlDatabase) {
  const own = database.dialect.own();
  return {
    first: database.prepare<{ at: number | null }, [number]>(
      `SELECT min(started_at) AS at FROM recordings WHERE started_at >= ? AND ${own}`,
    ),
    sessions: database.prepare<{ session: number }, [number, number]>(
      `SELECT session FROM recordings WHERE started_at >= ? AND started_at < ? AND ${own}
       GROUP BY session HAVING count(*) > 1 ORDER BY session`,
    ),
    candidates: database.prepare<{ id: number }, [number, number, number]>(
      `SELECT id FROM recordings WHERE session = ? AND started_at >= ? AND started_at < ? AND ${own} ORDER BY position, id`,
    ),
    note: database.prepare<never, [string, string]>(
      "INSERT INTO recording_joins (name, sources) VALUES (?, ?)",
    ),
    notes: database.prepare<{ name: string; sources: string; joinedAt: number | null }, []>(
      `SELECT name, sources, joined_at AS "joinedAt" FROM recording_joins WHERE ${own} ORDER BY name`,
    ),
    forget: database.prepare<never, [string]>(`DELETE FROM recording_joins WHERE name = ? AND ${own}`),
    joined: database.prepare<never, [number, string]>(
      `UPDATE recording_joins SET joined_at = ? WHERE name = ? AND ${own}`,
    ),
    forgetOverview: database.prepare<never, [number]>(
      `DELETE FROM recording_overviews WHERE ${own} AND (source, started_at, name) IN
       (SELECT coalesce(device, '#' || stream_id), started_at, name FROM recordings WHERE id = ?)`,
    ),
    remove: database.prepare<never, [number]>("DELETE FROM recordings WHERE id = ?"),
    update: database.prepare<never, (string | number | null)[]>(
      `UPDATE recordings SET name = ?, ended_at = ?, frames = ?, samples = ?, gaps = ?, lost_frames = ?, bin_bytes = ?,
         bin_sha256 = ?, wav_bytes = ?, wav_sha256 = ?, wav_checksum = ?, span = ?, losses = ? WHERE id = ?`,
    ),
    countSpan: database.prepare<never, [number, number, number, number]>(
      `UPDATE recording_spans SET segments = segments - ?
       WHERE session = (SELECT session FROM recordings WHERE id = ?) AND first <= ? AND past > ?`,
    ),
  };
}
