/** Limits of the log. */
import { maxAuditLinesPerSecond } from "./access.ts";
import { mustHold } from "./relation.ts";
import { KiB, MiB } from "./units.ts";

/** Lines that wait for a slow reader of the log; more are dropped and counted. */
export const maxWaitingLogBytes = 1 * MiB;
/** A field of a line, in UTF-16 units; a longer one is cut. */
export const maxLogFieldChars = 2 * KiB;
/** A longer `X-Request-Id` is ignored, and the request gets an id of the server. */
export const maxRequestIdChars = 64;
/** A descriptor that is not ready to be written to is tried again after this. */
export const logRetryMs = 50;
/** The last lines, in UTF-16 units, kept in memory for a diagnosis bundle; the oldest make room. */
export const maxRecentLogChars = 256 * KiB;
/** Repeated lines are counted for this long, then one line says how many there were. */
export const logRepeatMs = 10_000;
/** Lines of one message in `logRepeatMs`, at info and above; more are only counted. */
export const maxLinesOfMessage = 1_500;
/** The end of the process waits this long for the last lines, then drops them. */
export const logFlushMs = 1_000;

mustHold("many lines wait before one is dropped", maxLogFieldChars <= maxWaitingLogBytes / 64);
mustHold(
  "lines of the audit are limited by the audit alone",
  maxAuditLinesPerSecond * (logRepeatMs / 1000 + 1) <= maxLinesOfMessage,
);
