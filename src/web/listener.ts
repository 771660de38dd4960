/**
 * An HTTP and WebSocket port: hands upgrades and requests to the doors it was given, and keeps what is the same
 * for all of them: the number of connections, peers that stopped reading, the end.
 */
import type { Server, ServerWebSocket } from "bun";
import { errorRow, WavecacheError } from "../base/errors.ts";
import { idleTimeoutSeconds, maxFrameBytes } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { Certificates } from "./certificates.ts";
import type { ConnectionLimit } from "./connection-limit.ts";
import { errorResponse } from "./error-response.ts";
import { type OpenOptions, PortServer } from "./port-server.ts";
import type { HttpRoute, Session, Socket, SocketRoute } from "./route.ts";

export interface ListenerSettings {
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** For https and wss; undefined for http and ws. */
  certificates?: Certificates | undefined;
  /** May be shared with other ports. */
  limit: ConnectionLimit;
  /** A peer that takes none of its answers for this long is closed. */
  stallTimeoutMs: number;
  /** The first that accepts a path gets it. */
  sockets: SocketRoute[];
  http: HttpRoute[];
  log: Log;
}

/** Room for what may be on its way to one peer: the reads that were under way when it stopped reading. */
const sendBufferBytes = 64 * 1024 * 1024;
/** How often stalled peers are looked for, in parts of the time that they are given. */
const stallChecks = 12;

interface Connection {
  route: SocketRoute;
  path: string;
  userAgent: string;
  session: Session | undefined;
  /** When the peer began to leave answers untaken, or undefined while it takes them. */
  stalledSince: number | undefined;
}

type WebSocketPeer = ServerWebSocket<Connection>;

export class Listener {
  readonly #settings: ListenerSettings;
  readonly #server: PortServer<Connection>;
  readonly #peers = new Set<WebSocketPeer>();
  readonly #stallCheck: Timer;
  #closing = false;

  constructor(settings: ListenerSettings) {
    this.#settings = settings;
    const { port, certificates, log } = settings;
    this.#server = new PortServer({ port, certificates, log, open: (options) => this.#serve(options) });
    this.#stallCheck = setInterval(() => this.#closeStalled(), settings.stallTimeoutMs / stallChecks);
  }

  #serve(options: OpenOptions): Server<Connection> {
    return Bun.serve<Connection>({
      ...options,
      hostname: this.#settings.host,
      maxRequestBodySize: maxFrameBytes,
      fetch: (request, server) => this.#fetch(request, server),
      error: (error) => this.#internalError(error),
      websocket: {
        perMessageDeflate: false,
        sendPings: false,
        idleTimeout: idleTimeoutSeconds,
        maxPayloadLength: maxFrameBytes,
        backpressureLimit: sendBufferBytes,
        closeOnBackpressureLimit: false,
        open: (peer) => this.#open(peer),
        message: (peer, message) => this.#message(peer, message),
        drain: (peer) => this.#drain(peer),
        close: (peer) => this.#close(peer),
      },
    });
  }

  get port(): number {
    return this.#server.port;
  }

  /** Open WebSocket connections. */
  get connections(): number {
    return this.#peers.size;
  }

  /** Takes no more connections and requests; the open ones go on. */
  stopAccepting(): void {
    this.#closing = true;
  }

  /** Says good-bye to every peer and frees the port. */
  async close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#stallCheck);
    for (const peer of this.#peers)
      peer.close(errorRow("SHUTTING_DOWN").close, errorRow("SHUTTING_DOWN").reason);
    await this.#server.stop();
  }

  #fetch(request: Request, server: Server<Connection>): Response | Promise<Response> | undefined {
    const url = new URL(request.url);
    if (this.#closing) return errorResponse(new WavecacheError("SHUTTING_DOWN"));
    if (request.headers.get("upgrade")?.toLowerCase() === "websocket")
      return this.#upgrade(request, url, server);
    for (const route of this.#settings.http) {
      const response = route.handle(request, url, { keepOpen: () => server.timeout(request, 0) });
      if (response !== undefined) return response;
    }
    if (this.#socketRoute(url) !== undefined) return upgradeRequired();
    return new Response("not found\n", { status: 404 });
  }

  #socketRoute(url: URL): SocketRoute | undefined {
    return this.#settings.sockets.find((route) => route.accepts(url.pathname));
  }

  #upgrade(request: Request, url: URL, server: Server<Connection>): Response | undefined {
    const route = this.#socketRoute(url);
    if (route === undefined) return new Response("no WebSocket here\n", { status: 404 });
    if (this.#settings.limit.isReached) return errorResponse(new WavecacheError("CONNECTIONS_EXHAUSTED"));
    const data: Connection = {
      route,
      path: url.pathname,
      userAgent: request.headers.get("user-agent") ?? "",
      session: undefined,
      stalledSince: undefined,
    };
    if (server.upgrade(request, { data })) return undefined;
    return new Response("not a WebSocket handshake\n", { status: 400 });
  }

  #open(peer: WebSocketPeer): void {
    this.#peers.add(peer);
    this.#settings.limit.opened();
    peer.data.session = peer.data.route.open(toSocket(peer), peer.data);
  }

  #message(peer: WebSocketPeer, message: string | Uint8Array): void {
    if (typeof message === "string") peer.data.session!.text(message);
    else peer.data.session!.binary(message);
  }

  #drain(peer: WebSocketPeer): void {
    peer.data.stalledSince = undefined;
    peer.data.session!.drained();
  }

  #close(peer: WebSocketPeer): void {
    this.#peers.delete(peer);
    this.#settings.limit.closed();
    peer.data.session?.closed();
  }

  #closeStalled(): void {
    const latest = performance.now() - this.#settings.stallTimeoutMs;
    for (const peer of this.#peers) {
      if (peer.data.stalledSince === undefined || peer.data.stalledSince > latest) continue;
      this.#settings.log.warn("closing a peer that does not read", { address: peer.remoteAddress });
      peer.terminate();
    }
  }

  #internalError(error: Error): Response {
    this.#settings.log.error("a request failed", { error });
    return errorResponse(error);
  }
}

function upgradeRequired(): Response {
  return new Response("this address is for WebSockets: connect to it with ws://\n", {
    status: 426,
    headers: { connection: "Upgrade", upgrade: "websocket" },
  });
}

function toSocket(peer: WebSocketPeer): Socket {
  return {
    send: (message) => {
      const sent = peer.send(message);
      if (sent > 0) return "sent";
      // What is returned is the payload's bytes: 0 for an empty frame too.
      if (sent === 0) return message.length === 0 && peer.readyState === WebSocket.OPEN ? "sent" : "dropped";
      peer.data.stalledSince ??= performance.now();
      return "queued";
    },
    bufferedBytes: () => peer.getBufferedAmount(),
    pause: () => peer.pause(),
    resume: () => peer.resume(),
    close: (code, reason) => peer.close(code, reason),
  };
}
