/**
 * What is left to deliver to those who get each event at least once. A consumer has a position: all events up to it are
 * delivered, or have a row here. A row is an event that has failed, or waits behind one of the same subject that has.
 */
import type { EventRow } from "./outbox.ts";
import { type SqlDatabase, upsert } from "../sql/database.ts";

export interface DeliveryRow extends EventRow {
  attempts: number;
  /** Milliseconds since 1970; null before the first failure. */
  firstFailedAt: number | null;
  nextAt: number;
  /** Of the last attempt. */
  error: string | null;
  /** It was given up. Only a replay delivers it. */
  isDead: boolean;
}

export interface DeliveryChanges {
  consumer: string;
  /** Of the claim of this node (claims.ts). */
  epoch: number;
  position: number;
  /** Inserted, or replaced. */
  changed: DeliveryRow[];
  /** Removed, by id. */
  done: number[];
}

export interface DeliveryCatalog {
  /** Rows in the order of their ids: those that are given up, or the others. */
  rows(consumer: string, isDead: boolean, limit: number): DeliveryRow[];
  /** Keeps the newest `maxDead` rows that were given up. Returns false, and changes nothing, if the claim is over. */
  save(changes: DeliveryChanges, maxDead: number): boolean;
  /** Events that were given up are to be delivered again: all of them, or the one with this id. Returns how many. */
  revive(consumer: string, id: number | null): number;
  /** Notes that these consumers are there at this time, and removes everything of those last seen before `expiry`. */
  keepConsumers(consumers: readonly string[], at: number, expiry: number): void;
}

export const deliverySchema = `
  CREATE TABLE event_consumers (name TEXT NOT NULL PRIMARY KEY, position INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE event_deliveries (
    consumer        TEXT    NOT NULL,
    id              INTEGER NOT NULL,
    type            TEXT    NOT NULL,
    subject         TEXT    NOT NULL,
    at              INTEGER NOT NULL,
    data            TEXT    NOT NULL,
    attempts        INTEGER NOT NULL,
    first_failed_at INTEGER,
    next_at         INTEGER NOT NULL,
    error           TEXT,
    dead            INTEGER NOT NULL,
    PRIMARY KEY (consumer, dead, id)
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX event_deliveries_by_id ON event_deliveries (consumer, id);
`;

/** Until it is noted for the first time, a consumer counts as seen in the future. */
export const consumerSeenColumn = `
  ALTER TABLE event_consumers ADD COLUMN seen_at INTEGER NOT NULL DEFAULT ${Number.MAX_SAFE_INTEGER};
`;

interface SqlRow extends EventRow {
  attempts: number;
  first_failed_at: number | null;
  next_at: number;
  error: string | null;
  dead: number;
}

type Values = (string | number | null)[];

export class SqlDeliveries implements DeliveryCatalog {
  readonly #statements: ReturnType<typeof prepareStatements>;

  /** Expects a database with the current schema. */
  constructor(database: SqlDatabase) {
    this.#statements = prepareStatements(database);
  }

  rows(consumer: string, isDead: boolean, limit: number): DeliveryRow[] {
    return this.#statements.rows.all(consumer, isDead ? 1 : 0, limit).map(toRow);
  }

  save({ consumer, epoch, position, changed, done }: DeliveryChanges, maxDead: number): boolean {
    if (this.#statements.setPosition.run(position, consumer, epoch).changes === 0) return false;
    for (const id of done) this.#statements.remove.run(consumer, id);
    for (const row of changed) this.#statements.enter.run(...valuesOf(consumer, row));
    if (changed.some(({ isDead }) => isDead)) this.#statements.prune.run(consumer, maxDead);
    return true;
  }

  revive(consumer: string, id: number | null): number {
    const { changes } = this.#statements.revive.run(consumer, id);
    if (changes > 0) this.#statements.countReplay.run(consumer);
    return changes;
  }

  keepConsumers(consumers: readonly string[], at: number, expiry: number): void {
    this.#statements.see.run(JSON.stringify(consumers), at);
    this.#statements.removeDeliveries.run(expiry);
    this.#statements.removeConsumers.run(expiry);
  }
}

/** Apart from the consumer and the id. */
const columns = "type subject at data attempts first_failed_at next_at error dead".split(" ");

function prepareStatements(database: SqlDatabase) {
  const { node = "", textsOf } = database.dialect;
  return {
    setPosition: database.prepare<never, [number, string, number]>(
      `UPDATE event_consumers SET position = ? WHERE name = ? AND epoch = ? AND owner = '${node}'`,
    ),
    // A time in the future is of a clock that was wrong, or of a consumer that was never noted.
    see: database.prepare<never, [string, number]>(
      `UPDATE event_consumers SET seen_at = ?2 WHERE seen_at > ?2 OR name IN (${textsOf("?1")})`,
    ),
    removeDeliveries: database.prepare<never, [number]>(
      "DELETE FROM event_deliveries WHERE consumer IN (SELECT name FROM event_consumers WHERE seen_at < ?)",
    ),
    removeConsumers: database.prepare<never, [number]>("DELETE FROM event_consumers WHERE seen_at < ?"),
    rows: database.prepare<SqlRow, [string, number, number]>(
      "SELECT * FROM event_deliveries WHERE consumer = ? AND dead = ? ORDER BY id LIMIT ?",
    ),
    enter: database.prepare<never, Values>(upsert("event_deliveries", ["consumer", "id"], columns)),
    revive: database.prepare<never, [string, number | null]>(
      `UPDATE event_deliveries SET dead = 0, attempts = 0, first_failed_at = NULL, next_at = 0
       WHERE consumer = ?1 AND dead = 1 AND id = coalesce(CAST(?2 AS BIGINT), id)`,
    ),
    countReplay: database.prepare<never, [string]>(
      "UPDATE event_consumers SET replays = replays + 1 WHERE name = ?",
    ),
    remove: database.prepare<never, [string, number]>(
      "DELETE FROM event_deliveries WHERE consumer = ? AND id = ?",
    ),
    prune: database.prepare<never, [string, number]>(
      `DELETE FROM event_deliveries WHERE consumer = ?1 AND dead = 1 AND id <= (
         SELECT id FROM event_deliveries WHERE consumer = ?1 AND dead = 1 ORDER BY id DESC LIMIT 1 OFFSET ?2
       )`,
    ),
  };
}

function valuesOf(consumer: string, row: DeliveryRow): Values {
  const { id, type, subject, at, data, attempts, firstFailedAt, nextAt, error, isDead } = row;
  return [consumer, id, type, subject, at, data, attempts, firstFailedAt, nextAt, error, isDead ? 1 : 0];
}

function toRow({ id, type, subject, at, data, ...row }: SqlRow): DeliveryRow {
  const { attempts, first_failed_at: firstFailedAt, next_at: nextAt, error, dead } = row;
  return { id, type, subject, at, data, attempts, firstFailedAt, nextAt, error, isDead: dead === 1 };
}
