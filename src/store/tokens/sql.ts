/** The table of tokens in the catalog. */
import * as v from "valibot";
import type { TokenCatalog, TokenLimits, TokenRow, TokenUse } from "./catalog.ts";
import { type SqlDatabase, upsert } from "../sql/database.ts";

export const tokenSchema = `
  CREATE TABLE tokens (
    id         TEXT    NOT NULL PRIMARY KEY,
    sha256     TEXT    NOT NULL UNIQUE,
    grants     TEXT    NOT NULL,
    limits     TEXT    NOT NULL,
    note       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    used_at    INTEGER,
    revoked_at INTEGER
  ) STRICT, WITHOUT ROWID;
`;

interface SqlRow {
  id: string;
  sha256: string;
  grants: string;
  /** JSON of `TokenLimits`. */
  limits: string;
  note: string;
  created_at: number;
  expires_at: number | null;
  used_at: number | null;
  revoked_at: number | null;
}

const limitSchema = v.optional(v.pipe(v.number(), v.minValue(1)));

const limitsSchema: v.GenericSchema<unknown, TokenLimits> = v.object({
  connections: limitSchema,
  uploads: limitSchema,
  bytesInPerSecond: limitSchema,
  bytesOutPerSecond: limitSchema,
  storedBytes: limitSchema,
});

export class SqlTokens implements TokenCatalog {
  readonly #statements: ReturnType<typeof prepareStatements>;

  /** Expects a database with the current schema. */
  constructor(database: SqlDatabase) {
    this.#statements = prepareStatements(database);
  }

  enter(token: TokenRow): void {
    const { id, sha256, grants, limits, note, createdAt, expiresAt, usedAt, revokedAt } = token;
    const json = JSON.stringify(limits);
    this.#statements.enter.run(id, sha256, grants, json, note, createdAt, expiresAt, usedAt, revokedAt);
  }

  revoke(id: string, at: number): boolean {
    return this.#statements.revoke.run(at, id).changes === 1;
  }

  use(uses: readonly TokenUse[]): void {
    // In one order, so that nodes do not wait for each other in a circle.
    const ordered = uses.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    for (const { id, at } of ordered) this.#statements.use.run(at, id);
  }

  count(): number {
    return this.#statements.count.get()!.count;
  }

  removeEnded(at: number): boolean {
    return this.#statements.removeEnded.run(at).changes === 1;
  }

  all(): TokenRow[] {
    return this.#statements.all.all().map(toRow);
  }
}

/** Apart from the id. */
const columns = "sha256 grants limits note created_at expires_at used_at revoked_at".split(" ");

type Values = [
  id: string,
  sha256: string,
  grants: string,
  limits: string,
  note: string,
  createdAt: number,
  expiresAt: number | null,
  usedAt: number | null,
  revokedAt: number | null,
];

function prepareStatements(database: SqlDatabase) {
  const { least } = database.dialect;
  return {
    enter: database.prepare<never, Values>(upsert("tokens", ["id"], columns)),
    revoke: database.prepare<never, [number, string]>(
      "UPDATE tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL",
    ),
    use: database.prepare<never, [number, string]>("UPDATE tokens SET used_at = ? WHERE id = ?"),
    count: database.prepare<{ count: number }, []>("SELECT count(*) AS count FROM tokens"),
    removeEnded: database.prepare<never, [number]>(`
      DELETE FROM tokens WHERE id = (
        SELECT id FROM tokens WHERE revoked_at IS NOT NULL OR expires_at < ?
        ORDER BY ${least}(coalesce(revoked_at, expires_at), coalesce(expires_at, revoked_at)), id LIMIT 1
      )`),
    all: database.prepare<SqlRow, []>("SELECT * FROM tokens ORDER BY created_at, id"),
  };
}

function toRow(row: SqlRow): TokenRow {
  return {
    id: row.id,
    sha256: row.sha256,
    grants: row.grants,
    limits: v.parse(limitsSchema, JSON.parse(row.limits)),
    note: row.note,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    usedAt: row.used_at,
    revokedAt: row.revoked_at,
  };
}
