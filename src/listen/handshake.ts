/** WebSocket handshakes (RFC 6455, section 4): the headers of requests and answers. */
import type { Principal } from "../access/principal.ts";
import type { Handshake } from "./route.ts";

export function isUpgrade(headers: Headers): boolean {
  return headers.get("upgrade")?.toLowerCase() === "websocket";
}

export function handshakeOf(request: Request, path: string, principal: Principal): Handshake {
  return {
    path,
    userAgent: request.headers.get("user-agent") ?? "",
    protocols: splitProtocols(request.headers.get("sec-websocket-protocol")),
    principal,
  };
}

/** The subprotocols that a client offers (RFC 6455, section 11.3.4). */
function splitProtocols(header: string | null): string[] {
  return header === null ? [] : header.split(",").map((name) => name.trim());
}

/**
 * Headers of an answer that agrees to a subprotocol. Without them Bun agrees to the first one that the client offers,
 * and peers of gateways without a subprotocol rely on that.
 */
export function agreementHeaders(protocol: string | undefined): Record<string, string> | undefined {
  return protocol === undefined ? undefined : { "Sec-WebSocket-Protocol": protocol };
}

/** The answer to a plain request for the path of a WebSocket. */
export function upgradeRequired(): Response {
  return new Response("this address is for WebSockets: connect to it with ws://\n", {
    status: 426,
    headers: { connection: "Upgrade", upgrade: "websocket" },
  });
}
