import type { GatewayMeter } from "../base/gateway-meter.ts";
import { errorRow, ParameterError, toWavecacheError } from "../base/errors.ts";

/**
 * An error as an HTTP response: its status and `{"error":{"code","message","hint"}}`, with `parameter` if one is wrong.
 * The meter counts it.
 */
export function errorResponse(error: unknown, meter?: GatewayMeter): Response {
  const { code } = toWavecacheError(error);
  meter?.failed(code);
  const { reason, hint, http } = errorRow(code);
  const body =
    error instanceof ParameterError
      ? { code, message: `${reason}: ${error.detail}`, hint, parameter: error.parameter }
      : { code, message: reason, hint };
  return Response.json({ error: body }, { status: http, headers: { "cache-control": "no-store" } });
}
