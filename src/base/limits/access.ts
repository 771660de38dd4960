/** Limits of access: grants, tokens, links, sessions, failures and the audit. */

/** Grants of one token, JWT or flag; with more it is refused. */
export const maxGrants = 1_000;
/** A longer grant is refused. */
export const maxGrantChars = 512;
