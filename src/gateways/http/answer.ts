/** How the routes of this door answer: JSON that nobody keeps, errors of the table, all of it counted. */
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import { errorResponse } from "../../listen/error-response.ts";

/** Runs one request; what it throws becomes the answer. */
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

/** A part of a path, which names something; one that cannot be decoded names nothing. */
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
