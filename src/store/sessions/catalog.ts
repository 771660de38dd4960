/** The catalog of sessions of browsers. A session's cookie is stored nowhere, only its SHA-256. */

/** Times are milliseconds since 1970. */
export interface StoredSession {
  /** SHA-256 of the cookie, in lower-case hex. */
  sha256: string;
  /** Names the session, and opens nothing. */
  id: string;
  kind: "token" | "certificate" | "jwt";
  /** The id of the token, also of a certificate; the subject of a JWT. */
  subject: string;
  /** What a JWT said. Null for a token, whose row says it. */
  jwt: SessionJwt | null;
  openedAt: number;
  expiresAt: number;
  /** The last use that was recorded, and the address that it came from. */
  usedAt: number;
  address: string;
  /** What the browser calls itself. */
  agent: string;
}

export interface SessionJwt {
  /** As `access/grants.ts` reads them. */
  grants: string;
  expiresAt: number;
  /** Of the keys that verified it: a server with other keys does not accept it. */
  verifier: string;
}

export interface SessionUse {
  sha256: string;
  at: number;
  address: string;
}

export interface SessionCatalog {
  enter(session: StoredSession): void;
  find(sha256: string): StoredSession | undefined;
  /** Those of these that there are. */
  present(sha256s: readonly string[]): string[];
  /** Those that expire after `at`, the one that was used last first. */
  all(at: number): StoredSession[];
  /** Ignores sessions that are gone, and uses before the last one. */
  use(uses: readonly SessionUse[]): void;
  /** Results in the SHA-256 of the cookie; undefined if there is no such session. */
  end(id: string): string | undefined;
  /** Results in whether there was one. */
  remove(sha256: string): boolean;
  /** Removes those that have expired by `at`, and then the ones used longest ago, down to `max`. Results in their SHA-256. */
  trim(at: number, max: number): string[];
}
