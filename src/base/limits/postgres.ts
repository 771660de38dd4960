/** Limits of the catalog in PostgreSQL. */
import { mustHold } from "./relation.ts";

/** A statement that the catalog does not answer within this time fails with CATALOG_UNAVAILABLE, and the connection ends. */
export const catalogAnswerMs = 5_000;
/** The same for a connection, and for the migrations of a new version, which may read every row. */
export const catalogConnectMs = 5_000;
export const catalogMigrationMs = 30 * 60_000;
/**
 * PostgreSQL ends a transaction whose node says nothing for this long, so that a frozen node does not keep the locks that
 * others wait for. Shorter than `catalogAnswerMs`, or those would fail.
 */
export const catalogIdleTransactionMs = 3_000;
mustHold("a frozen node delays others by less than they wait", catalogIdleTransactionMs < catalogAnswerMs);
/** A word of the search is cut at this length; PostgreSQL takes up to 2046 bytes. */
export const maxSearchWordChars = 500;
/** What PostgreSQL knows of the spread of the streams is read again after this. */
export const searchStatisticsMs = 60_000;
/** Of the streams: no index is asked for a word or a tag that so many have, as it would read all of them. */
export const frequentShare = 0.02;
/** What nothing is known about, such as two frequent words together, is counted in so many rows. */
export const searchSampleRows = 5_000;
/**
 * PostgreSQL ends a statement after this, which then fails with CATALOG_BUSY, and the connection lives: a search of what
 * nothing is known about must not take the catalog from everybody else. Migrations may take longer.
 */
export const catalogStatementMs = 4_000;
mustHold("a slow statement does not end the connection", catalogStatementMs < catalogAnswerMs);
/** A node that has not renewed its lease for this long counts as dead: another node may take over what it did. */
export const nodeLeaseMs = 15_000;
export const leaseRenewalMs = 5_000;
mustHold("a lease lasts for two renewals that fail", nodeLeaseMs > 2 * leaseRenewalMs);
/**
 * What a node has left that any other can do is taken over this long after its lease has ended: by then, the requests that
 * it had under way have ended, even if it was only frozen. Looked for at this interval.
 */
export const deadNodeMs = 10 * 60_000;
export const deadNodeLookMs = 30_000;
/** So much at once: other calls wait for the transaction. */
export const maxTakenOver = 500;
/** A clock that differs from that of the database by more than this is wrong: the node corrects its times by the difference. */
export const maxClockErrorMs = 1_000;
/** A node looks this often for what others have changed: tokens, and events to announce. */
export const catalogLookMs = 1_000;
