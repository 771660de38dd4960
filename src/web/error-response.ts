import { errorRow, toWavecacheError } from "../base/errors.ts";

/** An error as an HTTP response: its status and `{"error":{"code","message","hint"}}`. */
export function errorResponse(error: unknown): Response {
  const { code } = toWavecacheError(error);
  const row = errorRow(code);
  return Response.json(
    { error: { code, message: row.reason, hint: row.hint } },
    { status: row.http, headers: { "cache-control": "no-store" } },
  );
}
