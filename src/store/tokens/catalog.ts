/** The catalog of tokens: who may use the server, and what for. A token's text is stored nowhere, only its SHA-256. */

export interface TokenRow {
  id: string;
  /** SHA-256 of the token, in lower-case hex. */
  sha256: string;
  /** As `access/grants.ts` reads them. */
  grants: string;
  limits: TokenLimits;
  /** What the operator wrote about it. */
  note: string;
  /** Times are milliseconds since 1970; null for never. */
  createdAt: number;
  expiresAt: number | null;
  /** The last use that was recorded. */
  usedAt: number | null;
  revokedAt: number | null;
}

/** Of everything that uses the token, together. What is absent has the limit of the server alone. */
export interface TokenLimits {
  connections?: number | undefined;
  /** Uploads at the same time. */
  uploads?: number | undefined;
  bytesInPerSecond?: number | undefined;
  bytesOutPerSecond?: number | undefined;
  /** Of all streams that were uploaded with it. */
  storedBytes?: number | undefined;
}

export interface TokenUse {
  id: string;
  at: number;
}

export interface TokenCatalog {
  /** Inserts a token or replaces its row. */
  enter(token: TokenRow): void;
  /** Results in whether there was one that was not revoked. */
  revoke(id: string, at: number): boolean;
  /** Ignores tokens that are gone. */
  use(uses: readonly TokenUse[]): void;
  count(): number;
  /** Removes the token that ended first: it was revoked, or expired before `at`. Results in whether there was one. */
  removeEnded(at: number): boolean;
  /** All tokens, oldest first, those that have ended too. */
  all(): TokenRow[];
}
