/** What a door on the web listener looks like: the listener knows only this, and the doors nothing of each other. */
import type { GatewayMeter } from "../base/gateway-meter.ts";

/** The socket under a session. */
export interface Socket {
  /** Sends a text or one unfragmented binary frame. `dropped`: the peer is gone or far too slow. */
  send(message: string | Uint8Array): "sent" | "queued" | "dropped";
  /** Bytes sent that the peer has not taken yet. */
  bufferedBytes(): number;
  pause(): void;
  resume(): void;
  close(code: number, reason: string): void;
}

/** One WebSocket connection. `drained` comes some time after a send was "queued". */
export interface Session {
  text(message: string): void;
  /** The session owns the frame and its buffer. */
  binary(frame: Uint8Array): void;
  drained(): void;
  closed(): void;
}

/** What a peer asked for when it connected. */
export interface Handshake {
  path: string;
  userAgent: string;
  /** Subprotocols that it offered, the one it likes best first. */
  protocols: readonly string[];
}

export interface SocketRoute {
  /** The listener counts connections, their bytes and those it turns away; the door counts its own errors. */
  meter: GatewayMeter;
  /** The subprotocol that this door speaks: it gets only peers that offer it, and tells them so. */
  protocol?: string;
  /** Whether an upgrade on this path is for this door. */
  accepts(path: string): boolean;
  open(socket: Socket, handshake: Handshake): Session;
}

/** The connection of an HTTP request. */
export interface HttpConnection {
  /** Do not close it for being silent: the answer goes on as long as it goes on. */
  keepOpen(): void;
}

export interface HttpRoute {
  /** Answers a request that is no upgrade, or undefined if it is not for this door. */
  handle(request: Request, url: URL, connection: HttpConnection): Response | Promise<Response> | undefined;
}
