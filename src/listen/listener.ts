/**
 * An HTTP and WebSocket port. It routes requests and upgrades to the gateways, and does what they have in common: it
 * limits connections, closes stalled peers and shuts down.
 */
import type { Server, ServerWebSocket } from "bun";
import { WavecacheError } from "../base/errors.ts";
import { idleTimeoutSeconds, maxFrameBytes, webSocketBufferBytes } from "../base/limits/connections.ts";
import { authorityOf } from "./authority.ts";
import type { Certificates } from "./certificates.ts";
import { errorResponse } from "./error-response.ts";
import { agreementHeaders, handshakeOf, isUpgrade, upgradeRequired } from "./handshake.ts";
import { type Admitted, type Peer, Peers, type PeerSocket, type PeersSettings } from "./peers.ts";
import { type OpenOptions, PortServer } from "./port-server.ts";
import type { HttpRoute } from "./route.ts";

export interface ListenerSettings extends PeersSettings {
  host: string;
  /** 0 picks a free one. */
  port: number;
  /** For https and wss; undefined for http and ws. */
  certificates?: Certificates | undefined;
  http: HttpRoute[];
}

/** The data that Bun stores with a connection: the admitted handshake, and the peer once it is open. */
interface Connection {
  admitted: Admitted;
  peer: Peer | undefined;
}

type WebSocketPeer = ServerWebSocket<Connection>;

/** Bun must not send pings: clients of the old protocol fail on them. */
const webSocketSettings = {
  perMessageDeflate: false,
  sendPings: false,
  idleTimeout: idleTimeoutSeconds,
  maxPayloadLength: maxFrameBytes,
  backpressureLimit: webSocketBufferBytes,
  closeOnBackpressureLimit: false,
};

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

  /** Refuses new connections and requests; open ones continue. */
  stopAccepting(): void {
    this.#closing = true;
  }

  /** Closes every connection and frees the port. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#peers.close();
    await this.#server.stop();
  }

  #fetch(request: Request, server: Server<Connection>): Response | Promise<Response> | undefined {
    const url = new URL(request.url);
    if (this.#closing) return errorResponse(new WavecacheError("SHUTTING_DOWN"));
    if (isUpgrade(request)) return this.#upgrade(request, url, server);
    for (const route of this.#settings.http) {
      const response = route.handle(request, url, { keepOpen: () => server.timeout(request, 0) });
      if (response !== undefined) return response;
    }
    if (this.#peers.knows(url.pathname)) return upgradeRequired();
    return new Response("not found\n", { status: 404 });
  }

  #upgrade(request: Request, url: URL, server: Server<Connection>): Response | undefined {
    const admitted = this.#peers.admit(handshakeOf(request, url.pathname));
    if (admitted instanceof Response) return admitted;
    const headers = agreementHeaders(admitted.route.protocol);
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

function toPeerSocket(socket: WebSocketPeer): PeerSocket {
  return {
    address: socket.remoteAddress,
    send: (message) => {
      const sent = socket.send(message);
      if (sent > 0) return "sent";
      // Bun returns the bytes of the payload, which are 0 for an empty frame too.
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
