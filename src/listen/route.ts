/** The interface between the listener and the gateways behind it. Gateways know nothing of each other. */
import type { Principal } from "../access/principal.ts";
import type { GatewayMeter } from "../base/gateway-meter.ts";
import type { RequestContext } from "../base/request-context.ts";

/** The socket under a session. */
export interface Socket {
  /** Sends a text or one unfragmented binary frame. `dropped`: the peer is gone, or its send buffer is full. */
  send(message: string | Uint8Array): "sent" | "queued" | "dropped";
  /** Sent bytes that are still in the send buffer. */
  bufferedBytes(): number;
  pause(): void;
  resume(): void;
  /** Sends a ping. Only for gateways whose clients all bear one. */
  ping(): void;
  close(code: number, reason: string): void;
  /** The peer has said who it is after the handshake: its limits hold from now on. Throws TOKEN_LIMIT_REACHED. */
  identify?(principal: Principal): void;
}

/** One WebSocket connection. `drained` follows some time after a send was "queued". */
export interface Session {
  text(message: string): void;
  /** The session owns the frame and its buffer. */
  binary(frame: Uint8Array): void;
  /** A ping or a pong has arrived; the listener answers pings itself. */
  controlFrame?(): void;
  drained(): void;
  closed(): void;
}

/** The request of a connecting peer. */
export interface Handshake {
  path: string;
  userAgent: string;
  /** Offered subprotocols, in the order of preference. */
  protocols: readonly string[];
  /** Who connects. Its session ends when it ends. */
  principal: Principal;
  context: RequestContext;
}

export interface SocketRoute {
  /** The listener counts connections, their bytes and refused handshakes; the gateway counts its own errors. */
  meter: GatewayMeter;
  /** The subprotocol of the gateway. Only peers that offer it get here, and the answer agrees to it. */
  protocol?: string;
  /** A longer message closes the connection with 1009; by default `defaultMaxMessageBytes`. */
  maxMessageBytes?: number;
  /** The session answers texts that are too long itself, and the connection stays. The port's own limit still holds. */
  refusesLongTexts?: boolean;
  /** Whether this gateway serves an upgrade on this path. */
  accepts(path: string): boolean;
  /** Throws why the peer is refused before the upgrade: the gateway has nothing for its principal. */
  requireAccess(handshake: Handshake): void;
  open(socket: Socket, handshake: Handshake): Session;
}

/** The connection of an HTTP request. */
export interface HttpConnection {
  /** Who asks. */
  principal: Principal;
  context: RequestContext;
  /** Whether it is over TLS. */
  isSecure: boolean;
  /** Disables the idle timeout: the answer has no end of its own. */
  keepOpen(): void;
  /** Closes the connection after this long without progress, which replaces the usual idle timeout. At most 255. */
  setIdleSeconds(seconds: number): void;
}

export interface HttpRoute {
  /** Whether the route takes the body of this request as it comes, of any length. Others get `defaultMaxMessageBytes`. */
  streamsBody?(request: Request, url: URL): boolean;
  /** Serves requests before the server is ready, too; it must not need the store. */
  servesWhileStarting?: boolean;
  /** Answers a request without an upgrade; undefined if it is not for this gateway. */
  handle(request: Request, url: URL, connection: HttpConnection): Response | Promise<Response> | undefined;
}
