/** Routes of live ingest: `/ws` and `/ws/{hwid}` for devices, `/ws/echo` and `POST /echo` to test a connection. */
import { resourceOf } from "../../access/actions.ts";
import type { Principal } from "../../access/principal.ts";
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import { ingestCheckMs } from "../../base/limits/recordings.ts";
import type { Log } from "../../base/log/log.ts";
import { Ticker } from "../../base/ticker.ts";
import { errorResponse } from "../../listen/error-response.ts";
import { readBody } from "../../listen/request-body.ts";
import type { HttpRoute, SocketRoute } from "../../listen/route.ts";
import { sanitizeHwid } from "../../wire/ingest.ts";
import { EchoSession } from "./echo.ts";
import { type Ingest, IngestSession } from "./session.ts";

const devicePath = /^\/ws(?:\/([^/]*))?$/;
const echoPath = "/ws/echo";

export function ingestRoute(ingest: Ingest, meter: GatewayMeter, log: Log): SocketRoute {
  const host = { ingest, meter, log, ticks: new Ticker(ingestCheckMs) };
  return {
    meter,
    requireAccess: ({ path, principal }) => requireIngest(principal, hwidOf(path)),
    accepts: (path) => devicePath.test(path) && path !== echoPath,
    open: (socket, handshake) => new IngestSession(socket, hwidOf(handshake.path), handshake, host),
  };
}

export function echoRoute(meter: GatewayMeter): SocketRoute {
  return {
    meter,
    requireAccess: ({ principal }) => principal.requireSome("ingest", "recordings"),
    accepts: (path) => path === echoPath,
    open: (socket) => new EchoSession(socket, meter),
  };
}

/** Unsanitized; empty for a device that has none. */
function hwidOf(path: string): string {
  return decodeSegment(devicePath.exec(path)?.[1] ?? "");
}

/** A device without a hardware id says which one it is in its first message. */
function requireIngest(principal: Principal, hwid: string): void {
  const device = sanitizeHwid(hwid);
  if (device === undefined) principal.requireSome("ingest", "recordings");
  else principal.require("ingest", resourceOf("recordings", device));
}

/** Plain HTTP requests on the same paths. */
export const ingestHttpRoute: HttpRoute = {
  handle(request, url, { principal }) {
    if (devicePath.test(url.pathname)) return new Response("expected a WebSocket\n", { status: 400 });
    if (url.pathname !== "/echo") return undefined;
    if (request.method !== "POST")
      return new Response("post something\n", { status: 405, headers: { allow: "POST" } });
    return echo(request, principal);
  },
};

/** For whoever may send audio: it serves to test the way to the server. */
async function echo(request: Request, principal: Principal): Promise<Response> {
  try {
    principal.requireSome("ingest", "recordings");
    const headers = { "content-type": "application/octet-stream" };
    return new Response(await readBody(request), { headers });
  } catch (error) {
    return errorResponse(error);
  }
}

/** Decodes one segment of a path. Invalid percent-encoding stays as it is: device names may contain "%". */
function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (error) {
    if (error instanceof URIError) return segment;
    throw error;
  }
}
