/** The outbox as a table of the catalog. */
import { eventsPrunedAtOnce, sharedOutboxLookMs } from "../../base/limits/events.ts";
import type { EventOutbox, EventRow, NewEvent, OutboxLimits } from "./outbox.ts";
import type { SqlDatabase } from "../sql/database.ts";

/** AUTOINCREMENT never uses the id of a removed event again. */
export const eventSchema = `
  CREATE TABLE events (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    type    TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    data    TEXT    NOT NULL
  ) STRICT;
  INSERT INTO sqlite_sequence (name, seq) VALUES ('events', 0);
`;

/** The ids of a run begin at its time in microseconds: above all that this clock has seen, below 2^53 until 2255. */
const idsPerMs = 1000;

export class SqlEvents implements EventOutbox {
  readonly #statements: ReturnType<typeof prepareStatements>;
  readonly #isShared: boolean;
  /** Counted at the first use: that reads the whole table. */
  #count: number | undefined;
  /** The next time that a shared outbox is compared with its limit. */
  #lookAgainMs = -Infinity;
  #onAppended: () => void = () => {};

  /** Expects a database with the current schema. */
  constructor(database: SqlDatabase) {
    this.#statements = prepareStatements(database);
    this.#isShared = database.dialect.node !== undefined;
  }

  append({ type, subject, at, data }: NewEvent): void {
    this.#statements.append.run(type, subject, at, JSON.stringify(data));
    if (this.#count !== undefined) this.#count += 1;
    this.#onAppended();
  }

  after(id: number, limit: number): EventRow[] {
    return this.#statements.after.all(id, limit);
  }

  beforeNewest(count: number): number {
    return this.#statements.beforeNewest.get(count)?.id ?? 0;
  }

  range(): { oldest: number; newest: number } {
    const { newest, oldest } = this.#statements.range.get()!;
    return { oldest: oldest ?? newest, newest };
  }

  startRun(at: number): void {
    this.#statements.raise.run(at * idsPerMs);
  }

  prune({ maxEvents, maxAgeMs }: OutboxLimits, at: number): number {
    if (this.#isShared)
      return this.#pruneShared(maxEvents) || this.#pruneOld(at - maxAgeMs, eventsPrunedAtOnce);
    this.#count ??= this.#statements.count.get()!.count;
    const excess = Math.max(0, Math.min(this.#count - maxEvents, eventsPrunedAtOnce));
    const pruned =
      this.#statements.pruneOldest.run(excess).changes +
      this.#pruneOld(at - maxAgeMs, eventsPrunedAtOnce - excess);
    this.#count -= pruned;
    return pruned;
  }

  /** Other nodes prune, too. One statement looks and removes, so together they remove no more than one would. */
  #pruneShared(maxEvents: number): number {
    const now = performance.now();
    if (now < this.#lookAgainMs) return 0;
    const pruned = this.#statements.pruneExcess.run(maxEvents, eventsPrunedAtOnce).changes;
    // It reads as many rows as are kept.
    if (pruned < eventsPrunedAtOnce) this.#lookAgainMs = now + sharedOutboxLookMs;
    return pruned;
  }

  #pruneOld(before: number, limit: number): number {
    return this.#statements.pruneOld.run(before, limit).changes;
  }

  watch(onAppended: () => void): void {
    this.#onAppended = onAppended;
  }
}

/** Takes the next id. PostgreSQL locks the row until the transaction ends: no reader sees an id before a smaller one. */
const append = {
  sqlite: "INSERT INTO events (type, subject, at, data) VALUES (?, ?, ?, ?)",
  postgres: `
    WITH next AS (UPDATE event_sequence SET seq = seq + 1 RETURNING seq)
    INSERT INTO events (id, type, subject, at, data)
    SELECT seq, CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS BIGINT), CAST(? AS TEXT) FROM next`,
};

const sequences = {
  sqlite: { table: "sqlite_sequence", row: "name = 'events'" },
  postgres: { table: "event_sequence", row: "one = 1" },
};

/** A condition: a range of ids, which every planner finds by the index. */
const amongOldest = (count: string) =>
  `id <= (SELECT max(id) FROM (SELECT id FROM events ORDER BY id LIMIT ${count}) oldest)`;

function prepareStatements(database: SqlDatabase) {
  const { engine, greatest } = database.dialect;
  const { table, row } = sequences[engine];
  return {
    append: database.prepareLast<[string, string, number, string]>(append[engine]),
    after: database.prepare<EventRow, [number, number]>(
      "SELECT id, type, subject, at, data FROM events WHERE id > ? ORDER BY id LIMIT ?",
    ),
    beforeNewest: database.prepare<{ id: number }, [number]>(
      "SELECT id FROM events ORDER BY id DESC LIMIT 1 OFFSET ?",
    ),
    range: database.prepare<{ newest: number; oldest: number | null }, []>(
      `SELECT seq AS newest, (SELECT min(id) FROM events) AS oldest FROM ${table} WHERE ${row}`,
    ),
    raise: database.prepare<never, [number]>(`UPDATE ${table} SET seq = ${greatest}(seq, ?) WHERE ${row}`),
    count: database.prepare<{ count: number }, []>("SELECT count(*) AS count FROM events"),
    pruneOldest: database.prepare<never, [number]>(`DELETE FROM events WHERE ${amongOldest("?")}`),
    pruneExcess: database.prepare<never, [number, number]>(
      `DELETE FROM events WHERE id <= (SELECT id FROM events ORDER BY id DESC LIMIT 1 OFFSET ?) AND ${amongOldest("?")}`,
    ),
    // Only the oldest are looked at: without an index on the time, a clock that went back delays them.
    pruneOld: database.prepare<never, [number, number]>(
      `DELETE FROM events WHERE at < ?1 AND ${amongOldest("?2")}`,
    ),
  };
}
