/**
 * An HTTP and WebSocket port: hands upgrades and requests to the doors it was given, and keeps what is the same
 * for all of them: the number of connections, peers that stopped reading, the end.
 */
import type { Server, ServerWebSocket } from "bun";
import { WavecacheError } from "../base/errors.ts";
import { maxFrameBytes } from "../base/limits/connections.ts";
import { webSocketSettings } from "../base/web-socket-settings.ts";
import { authorityOf } from "./authority.ts";
import type { Certificates } from "./certificates.ts";
import { errorResponse } from "./error-response.ts";
import { type Admitted, type Peer, Peers, type PeerSocket, type PeersSettings } from "./peers.ts";
import { type OpenOptions, PortServer } from "./port-server.ts";
import type { HttpRoute } from "./route.ts";

export interface ListenerSettings extends PeersSettings {
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** For https and wss; undefined for http and ws. */
  certificates?: Certificates | undefined;
  http: HttpRoute[];
}

/** What Bun keeps with a connection: the admitted handshake, and the peer once it is open. */
interface Connection {
  admitted: Admitted;
  peer: Peer | undefined;
}

type WebSocketPeer = ServerWebSocket<Connection>;

export class Listener {
  readonly #settings: ListenerSettings;
  readonly #server: PortServer<Connection>;
  readonly #peers: Peers;
  #closing = false;

  constructor(settings: ListenerSettings) {
    this.#settings = settings;
    this.#peers = new Peers(settings);
    const { port, certificates, log } = settings;
    this.#server = new PortServer({
      port,
      certificates,
      log,
      open: (options) => this.#serve(options),
    });
  }

  #serve(options: OpenOptions): Server<Connection> {
    return Bun.serve<Connection>({
      ...options,
      hostname: this.#settings.host,
      maxRequestBodySize: maxFrameBytes,
      fetch: (request, server) => this.#fetch(request, server),
      error: (error) => this.#internalError(error),
      websocket: {
        ...webSocketSettings,
        open: (socket) => this.#open(socket),
        message: ({ data }, message) => data.peer!.message(message),
        drain: ({ data }) => data.peer!.drained(),
        close: ({ data }) => this.#peers.closed(data.peer!),
      },
    });
  }

  get port(): number {
    return this.#server.port;
  }

  /** The URL of a path. */
  address(scheme: "http" | "ws", path: string): string {
    const { host, certificates } = this.#settings;
    return `${scheme}${certificates === undefined ? "" : "s"}://${authorityOf(host, this.port)}${path}`;
  }

  /** Open WebSocket connections. */
  get connections(): number {
    return this.#peers.count;
  }

  /** Takes no more connections and requests; the open ones go on. */
  stopAccepting(): void {
    this.#closing = true;
  }

  /** Says good-bye to every peer and frees the port. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#peers.close();
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
    if (this.#peers.knows(url.pathname)) return upgradeRequired();
    return new Response("not found\n", { status: 404 });
  }

  #upgrade(request: Request, url: URL, server: Server<Connection>): Response | undefined {
    const admitted = this.#peers.admit({
      path: url.pathname,
      userAgent: request.headers.get("user-agent") ?? "",
      protocols: splitProtocols(request.headers.get("sec-websocket-protocol")),
    });
    if (admitted instanceof Response) return admitted;
    const { protocol } = admitted.route;
    const headers = agreement(protocol);
    if (server.upgrade(request, { data: { admitted, peer: undefined }, headers })) return undefined;
    this.#peers.abandon();
    return new Response("not a WebSocket handshake\n", { status: 400 });
  }

  #open(socket: WebSocketPeer): void {
    socket.data.peer = this.#peers.open(socket.data.admitted, toPeerSocket(socket));
  }

  #internalError(error: Error): Response {
    this.#settings.log.error("a request failed", { error });
    return errorResponse(error);
  }
}

/** The subprotocols in a header of a handshake (RFC 6455, section 11.3.4). */
function splitProtocols(header: string | null): string[] {
  return header === null ? [] : header.split(",").map((name) => name.trim());
}

/**
 * Headers that name the agreed subprotocol. Without them Bun agrees to whatever the peer offers first, and peers of
 * gateways without a subprotocol rely on that.
 */
function agreement(protocol: string | undefined): Record<string, string> | undefined {
  return protocol === undefined ? undefined : { "Sec-WebSocket-Protocol": protocol };
}

function upgradeRequired(): Response {
  return new Response("this address is for WebSockets: connect to it with ws://\n", {
    status: 426,
    headers: { connection: "Upgrade", upgrade: "websocket" },
  });
}

function toPeerSocket(socket: WebSocketPeer): PeerSocket {
  return {
    address: socket.remoteAddress,
    send: (message) => {
      const sent = socket.send(message);
      if (sent > 0) return "sent";
      // What is returned is the payload's bytes: 0 for an empty frame too.
      if (sent === 0)
        return message.length === 0 && socket.readyState === WebSocket.OPEN ? "sent" : "dropped";
      return "queued";
    },
    bufferedBytes: () => socket.getBufferedAmount(),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    close: (code, reason) => socket.close(code, reason),
    terminate: () => socket.terminate(),
  };
}
