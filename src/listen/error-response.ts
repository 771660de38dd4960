import type { GatewayMeter } from "../base/gateway-meter.ts";
import {
  BoundaryError,
  ConfigInvalidError,
  type ErrorCode,
  errorRow,
  ParameterError,
  toWavecacheError,
} from "../base/errors.ts";

/**
 * An error as an HTTP response: its status and `{"error":{"code","message","hint"}}`, with `parameter` if one is wrong,
 * or `at` if it is about a time.
 * The meter counts it.
 */
export function errorResponse(error: unknown, meter?: GatewayMeter): Response {
  const { code } = toWavecacheError(error);
  meter?.failed(code);
  const { http } = errorRow(code);
  const body = { error: { code, ...describe(error, code) } };
  return Response.json(body, { status: http, headers: { "cache-control": "no-store" } });
}

/** Details of most errors are for the log alone. */
function describe(error: unknown, code: ErrorCode) {
  const { reason, hint } = errorRow(code);
  if (error instanceof ParameterError)
    return { message: `${reason}: ${error.detail}`, hint, parameter: error.parameter };
  if (error instanceof ConfigInvalidError) return { message: `${reason}: ${error.detail}`, hint };
  if (error instanceof BoundaryError) return { message: `${reason}: ${error.detail}`, hint, at: error.at };
  return { message: reason, hint };
}
