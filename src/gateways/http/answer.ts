/** Responses of the HTTP API: JSON that no cache stores, and errors of the error table. The meter counts both. */
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import { errorResponse } from "../../listen/error-response.ts";

/** Runs one request. An error that it throws becomes the response. */
export async function answer(meter: GatewayMeter, act: () => Promise<Response>): Promise<Response> {
  meter.opened();
  try {
    return await act();
  } catch (error) {
    return errorResponse(error, meter);
  } finally {
    meter.closed();
  }
}

export function methodNotAllowed(allow: string): Response {
  return new Response("method not allowed\n", { status: 405, headers: { allow } });
}

/** Decodes one segment of a path. Invalid percent-encoding gives "", which names nothing. */
export function decodeSegment(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch (error) {
    if (error instanceof URIError) return "";
    throw error;
  }
}

export function json(body: unknown, meter: GatewayMeter): Response {
  const text = JSON.stringify(body);
  meter.bytesOut += Buffer.byteLength(text);
  return new Response(text, {
    headers: { "content-type": "application/json;charset=utf-8", "cache-control": "no-store" },
  });
}
