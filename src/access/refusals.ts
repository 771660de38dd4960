import type { ErrorCode } from "../base/errors.ts";

/** Errors of access. The audit has a line for each, so other logs need none. */
export const accessRefusals: ReadonlySet<ErrorCode> = new Set([
  "UNAUTHENTICATED",
  "FORBIDDEN",
  "LINK_WRONG",
  "LINK_EXPIRED",
  "GUESSES_EXHAUSTED",
]);
