/**
 * Which node delivers events to a consumer. Nodes that share a catalog may be configured with the same consumers; the
 * catalog knows a consumer by its name, whatever else is configured for it:
 *
 *     nobody's ──claim──► owned ──release──► nobody's
 *                          │ ▲
 *     the owner's lease ends └─claim by another node, with the next epoch
 *
 * A claim raises the epoch, and what an owner saves names the epoch of its claim: a node that was frozen meanwhile saves
 * nothing any more. A catalog in a file has one node, which owns every consumer that it claims.
 */
import type { SqlDatabase } from "../sql/database.ts";

/** A consumer that a node is configured with. */
export interface ConsumerWish {
  consumer: string;
  /** A hash of its configuration, and of its secrets. */
  config: string;
  /** Of the claim that this node has; 0 for none. */
  epoch: number;
}

export interface ConsumerClaim {
  consumer: string;
  /** The node that delivers. Empty in a catalog of one node. */
  owner: string;
  isOwn: boolean;
  /** Of the owner. */
  epoch: number;
  config: string;
  /** The lease of the owner lasts this much longer, unless it is renewed. */
  leaseMs: number;
  /** All events up to this one are delivered, or have a row. */
  position: number;
  /** Grows when events that were given up are to be delivered again. */
  replays: number;
}

export interface ClaimCatalog {
  /**
   * Claims the consumers that no living node owns, and returns who owns each. A consumer that is new begins after the
   * event `newest`.
   */
  claim(wishes: readonly ConsumerWish[], newest: number): ConsumerClaim[];
  /** Does nothing if the claim is no longer this one. */
  release(consumer: string, epoch: number): void;
}

/** The epoch stays when nobody owns the consumer: it never repeats. */
export const consumerOwnerColumns = `
  ALTER TABLE event_consumers ADD COLUMN owner TEXT;
  ALTER TABLE event_consumers ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE event_consumers ADD COLUMN config TEXT NOT NULL DEFAULT '';
  ALTER TABLE event_consumers ADD COLUMN replays INTEGER NOT NULL DEFAULT 0;
`;

interface SqlClaim extends Omit<ConsumerClaim, "isOwn" | "owner" | "leaseMs"> {
  owner: string | null;
  leaseMs: number | null;
}

export class SqlClaims implements ClaimCatalog {
  readonly #statements: ReturnType<typeof prepareStatements>;
  readonly #node: string;

  /** Expects a database with the current schema. */
  constructor(database: SqlDatabase) {
    this.#statements = prepareStatements(database);
    this.#node = database.dialect.node ?? "";
  }

  claim(wishes: readonly ConsumerWish[], newest: number): ConsumerClaim[] {
    const found = new Map(this.#read(wishes).map((each) => [each.consumer, each]));
    const free = wishes.filter((wish) => this.#isFree(wish, found.get(wish.consumer)));
    for (const { consumer, config } of free) {
      const known = found.get(consumer);
      if (known === undefined) this.#statements.insert.run(consumer, newest);
      this.#statements.claim.run(config, consumer, known?.epoch ?? 0);
    }
    return this.#read(wishes).map((row) => this.#claimOf(row));
  }

  release(consumer: string, epoch: number): void {
    this.#statements.release.run(consumer, epoch);
  }

  #read(wishes: readonly ConsumerWish[]): SqlClaim[] {
    return this.#statements.read.all(JSON.stringify(wishes.map(({ consumer }) => consumer)));
  }

  #isFree({ epoch }: ConsumerWish, found: SqlClaim | undefined): boolean {
    if (found === undefined || (found.leaseMs ?? 0) <= 0) return true;
    // An earlier run of this node has claimed it.
    return found.owner === this.#node && found.epoch !== epoch;
  }

  #claimOf({ owner, leaseMs, ...row }: SqlClaim): ConsumerClaim {
    return { ...row, owner: owner ?? "", isOwn: owner === this.#node, leaseMs: leaseMs ?? 0 };
  }
}

function prepareStatements(database: SqlDatabase) {
  const { node = "", textsOf, leaseMs } = database.dialect;
  return {
    read: database.prepare<SqlClaim, [string]>(
      `SELECT name AS consumer, owner, epoch, config, position, replays, ${leaseMs("owner")} AS "leaseMs"
       FROM event_consumers WHERE name IN (${textsOf("?")})`,
    ),
    insert: database.prepare<never, [string, number]>(
      "INSERT INTO event_consumers (name, position) VALUES (?, ?) ON CONFLICT DO NOTHING",
    ),
    // Of nodes that claim at once, the first one changes the epoch that the others name.
    claim: database.prepare<never, [string, string, number]>(
      `UPDATE event_consumers SET owner = '${node}', epoch = epoch + 1, config = ?
       WHERE name = ? AND epoch = ? AND (owner = '${node}' OR coalesce(${leaseMs("owner")}, 0) <= 0)`,
    ),
    release: database.prepare<never, [string, number]>(
      `UPDATE event_consumers SET owner = NULL WHERE name = ? AND epoch = ? AND owner = '${node}'`,
    ),
  };
}
