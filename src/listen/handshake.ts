/** WebSocket handshakes (RFC 6455, section 4): the headers of requests and answers. */
import type { Principal } from "../access/principal.ts";
import type { RequestContext } from "../base/request-context.ts";
import { requestIdHeader } from "./headers.ts";
import type { Handshake } from "./route.ts";

export function isUpgrade(headers: Headers): boolean {
  return headers.get("upgrade")?.toLowerCase() === "websocket";
}

export function handshakeOf(
  request: Request,
  path: string,
  principal: Principal,
  context: RequestContext,
): Handshake {
  return {
    path,
    userAgent: request.headers.get("user-agent") ?? "",
    protocols: splitProtocols(request.headers.get("sec-websocket-protocol")),
    principal,
    context,
  };
}

/** The subprotocols that a client offers (RFC 6455, section 11.3.4). */
function splitProtocols(header: string | null): string[] {
  return header === null ? [] : header.split(",").map((name) => name.trim());
}

/**
 * Headers of an answer that accepts a handshake. Without a subprotocol Bun agrees to the first one that the client offers,
 * and peers of gateways without a subprotocol rely on that.
 */
export function acceptHeaders(protocol: string | undefined, requestId: string): Record<string, string> {
  const identity = { [requestIdHeader]: requestId };
  return protocol === undefined ? identity : { ...identity, "Sec-WebSocket-Protocol": protocol };
}

/** The answer to a plain request for the path of a WebSocket. */
export function upgradeRequired(): Response {
  return new Response("this address is for WebSockets: connect to it with ws://\n", {
    status: 426,
    headers: { connection: "Upgrade", upgrade: "websocket" },
  });
}
