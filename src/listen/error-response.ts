import type { GatewayMeter } from "../base/gateway-meter.ts";
import { errorRow, toWavecacheError } from "../base/errors.ts";

/** An error as an HTTP response: its status and `{"error":{"code","message","hint"}}`. The meter counts it. */
export function errorResponse(error: unknown, meter?: GatewayMeter): Response {
  const { code } = toWavecacheError(error);
  meter?.failed(code);
  const row = errorRow(code);
  return Response.json(
    { error: { code, message: row.reason, hint: row.hint } },
    { status: row.http, headers: { "cache-control": "no-store" } },
  );
}
