/** Limits of access: grants, tokens, links, sessions, failures and the audit. */

/** Grants of one token, JWT or flag; with more it is refused. */
export const maxGrants = 1_000;
/** Tokens in the catalog. One more replaces a token that has ended, and gets TOKENS_EXHAUSTED if all are valid. */
export const maxTokens = 10_000;
/** Characters of a token's note; a longer one is refused. */
export const maxNoteChars = 200;
/** Last uses of tokens are kept in memory for this long before the catalog gets them; a crash loses them. */
export const tokenUseMs = 60_000;
/** A longer grant is refused. */
export const maxGrantChars = 512;

/** A token with a rate may be this much ahead of it; what comes beyond waits. */
export const rateBurstMs = 200;

/** Wrong credentials of one address in a minute; further ones get GUESSES_EXHAUSTED until it has passed. */
export const maxFailures = 20;
export const failureWindowMs = 60_000;
/** Addresses whose failures are counted; the one that failed longest ago is forgotten for a new one. */
export const maxFailingAddresses = 10_000;

/** Entries of the audit in memory; the oldest makes room. The log has a line for each. */
export const maxAuditEntries = 10_000;
/** Lines of the audit in the log each second; entries beyond it are only in memory, and counted in the next line. */
export const maxAuditLinesPerSecond = 100;

/** Sessions of browsers, of all nodes together; the one that was used longest ago ends for a new one. */
export const maxSessions = 10_000;
/** Last uses of sessions are kept in memory for this long before the catalog gets them; a crash loses them. */
export const sessionUseMs = 60_000;
/** Cookies that are known to have no session; one more is looked up in the catalog again at its next use. */
export const maxUnknownSessions = 10_000;
/** Cookies without a session of one address in a minute; further cookies that are not in memory get GUESSES_EXHAUSTED. */
export const maxUnknownCookies = 1_000;
/** Sessions in one listing; a request for more is refused. */
export const maxListedSessions = 1000;
/** What a browser calls itself; the rest of a longer text is cut off. */
export const maxAgentChars = 256;
/** A session ends after this long, or with its token. */
export const sessionMs = 12 * 3600 * 1000;

/** JWTs whose signature is known to be right; the one that was not used for longest is verified again at its next use. */
export const maxKnownJwts = 10_000;
/** How far the clock of the issuer of a JWT may differ. */
export const jwtSkewSeconds = 60;
/** A longer JWT is refused. */
export const maxJwtChars = 16_384;
/** The keys of an issuer must arrive in this time; otherwise the JWT is refused. */
export const jwksTimeoutMs = 5_000;

/** A link may be valid for this long. */
export const maxLinkSeconds = 366 * 24 * 3600;
/** A file of keys or secrets beyond this is refused. */
export const maxKeyFileBytes = 64 * 1024;
/** A secret with fewer bytes could be guessed; it is refused. */
export const minSecretBytes = 32;
/** The description of a new token; a longer one gets MESSAGE_TOO_LARGE. */
export const maxTokenBodyBytes = 1024 * 1024;
/** Rows of a list that are looked at together for the few that a caller may see. */
export const maxScannedRows = 1_000;
