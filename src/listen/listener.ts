/**
 * An HTTP and WebSocket port. It routes requests and upgrades to the gateways, and does what they have in common: it
 * limits connections, closes stalled peers and shuts down.
 */
import type { Server, ServerWebSocket } from "bun";
import { type ErrorCode, WavecacheError } from "../base/errors.ts";
import type { GatewayMeter } from "../base/gateway-meter.ts";
import { idleTimeoutSeconds, maxFrameBytes, webSocketBufferBytes } from "../base/limits/connections.ts";
import { RateLimitedLog } from "../base/rate-limited-log.ts";
import { authorityOf } from "./authority.ts";
import type { Certificates } from "./certificates.ts";
import { errorResponse } from "./error-response.ts";
import { isPreflight, preflightResponse, withHeaders } from "./headers.ts";
import type { HostNames } from "./host.ts";
import type { Origins } from "./origin.ts";
import { agreementHeaders, handshakeOf, isUpgrade, upgradeRequired } from "./handshake.ts";
import { type Admitted, type Peer, Peers, type PeerSocket, type PeersSettings } from "./peers.ts";
import { type OpenOptions, PortServer } from "./port-server.ts";
import type { HttpRoute } from "./route.ts";
import { type WebAccess, webRefusal } from "./web-access.ts";

export interface ListenerSettings extends PeersSettings {
  host: string;
  /** 0 picks a free one. */
  port: number;
  /** For https and wss; undefined for http and ws. */
  certificates?: Certificates | undefined;
  http: HttpRoute[];
  /** Host names that browsers may use, besides addresses, loopback names and `host`. */
  allowHost: HostNames;
  /** Origins of other servers whose pages may use this one. */
  allowOrigin: Origins;
  /** Counts requests that are refused before a route gets them. */
  meter: GatewayMeter;
  /** While true, requests and upgrades get STARTING, except on routes that serve while starting. */
  isStarting?: () => boolean;
}

/** The data that Bun stores with a connection: the admitted handshake, and the peer once it is open. */
interface Connection {
  admitted: Admitted;
  peer: Peer | undefined;
}

type WebSocketPeer = ServerWebSocket<Connection>;

/** Bun must not send pings by itself: clients of the old protocol fail on them. */
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
  readonly #access: WebAccess;
  readonly #refusals: RateLimitedLog;
  #closing = false;

  constructor(settings: ListenerSettings) {
    this.#settings = settings;
    this.#peers = new Peers(settings);
    const { host, port, certificates, log, allowHost, allowOrigin } = settings;
    this.#access = {
      scheme: certificates === undefined ? "http" : "https",
      listenHost: host,
      hosts: allowHost,
      origins: allowOrigin,
    };
    this.#refusals = new RateLimitedLog(log);
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
      fetch: (request, server) => this.#answer(request, server),
      error: (error) => this.#internalError(error),
      websocket: {
        ...webSocketSettings,
        open: (socket) => this.#open(socket),
        message: ({ data }, message) => data.peer!.message(message),
        ping: ({ data }) => data.peer!.controlFrame(),
        pong: ({ data }) => data.peer!.controlFrame(),
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

  /** Every answer gets the same headers, errors included. */
  #answer(request: Request, server: Server<Connection>): Response | Promise<Response> | undefined {
    const finish = (response: Response) => withHeaders(response, this.#allowedOrigin(request));
    const response = this.#fetch(request, server);
    if (response instanceof Promise) return response.then(finish);
    return response === undefined ? undefined : finish(response);
  }

  #fetch(request: Request, server: Server<Connection>): Response | Promise<Response> | undefined {
    const url = targetOf(request);
    if (this.#closing) return errorResponse(new WavecacheError("SHUTTING_DOWN"));
    const refusal = webRefusal(request, url.pathname, this.#access);
    if (refusal !== undefined) return this.#refuse(request, refusal);
    const isStarting = this.#settings.isStarting?.() === true;
    if (isUpgrade(request.headers) && !isStarting) return this.#upgrade(request, url, server);
    if (isPreflight(request)) return preflightResponse();
    for (const route of this.#settings.http) {
      if (isStarting && route.servesWhileStarting !== true) continue;
      const response = route.handle(request, url, { keepOpen: () => server.timeout(request, 0) });
      if (response !== undefined) return response;
    }
    if (isStarting) return errorResponse(new WavecacheError("STARTING"));
    if (this.#peers.knows(url.pathname)) return upgradeRequired();
    return new Response("not found\n", { status: 404 });
  }

  #refuse({ headers }: Request, code: ErrorCode): Response {
    const error = new WavecacheError(code);
    const [host, origin] = [headers.get("host"), headers.get("origin")];
    this.#refusals.warn("a request is refused", { error, host, origin });
    return errorResponse(error, this.#settings.meter);
  }

  /** The origin of another server's page that may read the answer. */
  #allowedOrigin({ headers }: Request): string | undefined {
    const origin = headers.get("origin");
    return origin !== null && this.#access.origins.has(origin) ? origin : undefined;
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
    return withHeaders(errorResponse(error), undefined);
  }
}

/**
 * The path and the query of a request, whatever its Host header says. Bun puts a malformed one into a URL that cannot
 * be parsed, or leaves it out; the target of a CONNECT has no path.
 */
function targetOf({ url }: Request): URL {
  const target = url.replace(/^https?:\/\/[^/]*/, "");
  return new URL(`http://localhost${target.startsWith("/") ? target : "/"}`);
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
    ping: () => void socket.ping(),
    close: (code, reason) => socket.close(code, reason),
    terminate: () => socket.terminate(),
  };
}
