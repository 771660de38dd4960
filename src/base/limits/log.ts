/** Limits of the log. */
import { mustHold } from "./relation.ts";
import { KiB, MiB } from "./units.ts";

/** Lines that wait for a slow reader of the log; more are dropped and counted. */
export const maxWaitingLogBytes = 1 * MiB;
/** A field of a line, in UTF-16 units; a longer one is cut. */
export const maxLogFieldChars = 2 * KiB;
/** A descriptor that is not ready to be written to is tried again after this. */
export const logRetryMs = 50;
/** The end of the process waits this long for the last lines, then drops them. */
export const logFlushMs = 1_000;

mustHold("many lines wait before one is dropped", maxLogFieldChars <= maxWaitingLogBytes / 64);
