/** The table of sessions in the catalog. */
import type { SqlDatabase } from "../sql/database.ts";
import type { SessionCatalog, SessionUse, StoredSession } from "./catalog.ts";

export const browserSessionSchema = `
  CREATE TABLE browser_sessions (
    sha256         TEXT    NOT NULL PRIMARY KEY,
    id             TEXT    NOT NULL UNIQUE,
    kind           TEXT    NOT NULL,
    subject        TEXT    NOT NULL,
    jwt_grants     TEXT,
    jwt_expires_at INTEGER,
    jwt_verifier   TEXT,
    opened_at      INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    used_at        INTEGER NOT NULL,
    address        TEXT    NOT NULL,
    agent          TEXT    NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

interface SqlRow {
  sha256: string;
  id: string;
  kind: StoredSession["kind"];
  subject: string;
  jwt_grants: string | null;
  jwt_expires_at: number | null;
  jwt_verifier: string | null;
  opened_at: number;
  expires_at: number;
  used_at: number;
  address: string;
  agent: string;
}

export class SqlSessions implements SessionCatalog {
  readonly #statements: ReturnType<typeof prepareStatements>;

  /** Expects a database with the current schema. */
  constructor(database: SqlDatabase) {
    this.#statements = prepareStatements(database);
  }

  enter(session: StoredSession): void {
    const { sha256, id, kind, subject, jwt, openedAt, expiresAt, usedAt, address, agent } = session;
    const ofJwt = [jwt?.grants ?? null, jwt?.expiresAt ?? null, jwt?.verifier ?? null] as const;
    const times = [openedAt, expiresAt, usedAt] as const;
    this.#statements.enter.run(sha256, id, kind, subject, ...ofJwt, ...times, address, agent);
  }

  find(sha256: string): StoredSession | undefined {
    const row = this.#statements.find.get(sha256);
    return row === null ? undefined : toSession(row);
  }

  present(sha256s: readonly string[]): string[] {
    return this.#statements.present.all(JSON.stringify(sha256s)).map(({ sha256 }) => sha256);
  }

  all(at: number): StoredSession[] {
    return this.#statements.all.all(at).map(toSession);
  }

  use(uses: readonly SessionUse[]): void {
    for (const { sha256, at, address } of uses) this.#statements.use.run(at, address, sha256, at);
  }

  end(id: string): string | undefined {
    return this.#statements.end.get(id)?.sha256;
  }

  remove(sha256: string): boolean {
    return this.#statements.remove.run(sha256).changes === 1;
  }

  trim(at: number, max: number): string[] {
    // A delete of nothing would be news to all nodes.
    const { expired, count } = this.#statements.count.get(at)!;
    const removed = expired === 0 ? [] : this.#statements.removeExpired.all(at);
    const excess = count - expired - max;
    if (excess > 0) removed.push(...this.#statements.removeOldest.all(excess));
    return removed.map(({ sha256 }) => sha256);
  }
}

type Values = [
  sha256: string,
  id: string,
  kind: string,
  subject: string,
  jwtGrants: string | null,
  jwtExpiresAt: number | null,
  jwtVerifier: string | null,
  openedAt: number,
  expiresAt: number,
  usedAt: number,
  address: string,
  agent: string,
];

interface Named {
  sha256: string;
}

function prepareStatements(database: SqlDatabase) {
  const { textsOf } = database.dialect;
  return {
    enter: database.prepare<never, Values>(
      `INSERT INTO browser_sessions (sha256, id, kind, subject, jwt_grants, jwt_expires_at, jwt_verifier,
         opened_at, expires_at, used_at, address, agent)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    find: database.prepare<SqlRow, [string]>("SELECT * FROM browser_sessions WHERE sha256 = ?"),
    present: database.prepare<Named, [string]>(
      `SELECT sha256 FROM browser_sessions WHERE sha256 IN (${textsOf("?")})`,
    ),
    all: database.prepare<SqlRow, [number]>(
      "SELECT * FROM browser_sessions WHERE expires_at > ? ORDER BY used_at DESC, sha256",
    ),
    use: database.prepare<never, [number, string, string, number]>(
      "UPDATE browser_sessions SET used_at = ?, address = ? WHERE sha256 = ? AND used_at <= ?",
    ),
    end: database.prepare<Named, [string]>("DELETE FROM browser_sessions WHERE id = ? RETURNING sha256"),
    remove: database.prepare<never, [string]>("DELETE FROM browser_sessions WHERE sha256 = ?"),
    count: database.prepare<{ count: number; expired: number }, [number]>(
      "SELECT count(*) AS count, count(CASE WHEN expires_at <= ? THEN 1 END) AS expired FROM browser_sessions",
    ),
    removeExpired: database.prepare<Named, [number]>(
      "DELETE FROM browser_sessions WHERE expires_at <= ? RETURNING sha256",
    ),
    removeOldest: database.prepare<Named, [number]>(
      `DELETE FROM browser_sessions WHERE sha256 IN (
         SELECT sha256 FROM browser_sessions ORDER BY used_at, sha256 LIMIT ?
       ) RETURNING sha256`,
    ),
  };
}

function toSession(row: SqlRow): StoredSession {
  const { jwt_grants: grants, jwt_expires_at: expiresAt, jwt_verifier: verifier } = row;
  const isOfJwt = grants !== null && expiresAt !== null && verifier !== null;
  return {
    sha256: row.sha256,
    id: row.id,
    kind: row.kind,
    subject: row.subject,
    jwt: isOfJwt ? { grants, expiresAt, verifier } : null,
    openedAt: row.opened_at,
    expiresAt: row.expires_at,
    usedAt: row.used_at,
    address: row.address,
    agent: row.agent,
  };
}
