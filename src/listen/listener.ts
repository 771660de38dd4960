/**
 * An HTTP and WebSocket port. It routes requests and upgrades to the gateways, and does what they have in common: it
 * limits connections, closes stalled peers and shuts down.
 */
import type { Server, ServerWebSocket } from "bun";
import type { Access } from "../access/access.ts";
import type { AddressList } from "../base/address-list.ts";
import { takeCredentials } from "../access/credentials.ts";
import { nobody, type Principal } from "../access/principal.ts";
import { type ErrorCode, WavecacheError } from "../base/errors.ts";
import type { GatewayMeter } from "../base/gateway-meter.ts";
import {
  defaultMaxMessageBytes,
  httpIdleSeconds,
  idleTimeoutSeconds,
  lastAnswersMs,
  webSocketBufferBytes,
} from "../base/limits/connections.ts";
import { KiB } from "../base/limits/units.ts";
import type { Log } from "../base/log/log.ts";
import { RateLimitedLog } from "../base/log/rate-limited-log.ts";
import { newRequestId, type RequestContext, requestContextOf } from "../base/request-context.ts";
import { authorityOf } from "./authority.ts";
import type { Certificates } from "./tls/certificates.ts";
import type { ConnectionWatch, WatchedPort } from "./connections/connection-watch.ts";
import type { KernelSocket, KernelSockets } from "./connections/kernel-sockets.ts";
import { type Admitted, Peers, type PeersSettings } from "./connections/peers.ts";
import { type PeerAddress, PlainConnections } from "./connections/plain-connections.ts";
import { isSocketPath, openToGroup } from "./unix-socket.ts";
import { endBody } from "./end-body.ts";
import { errorResponse } from "./error-response.ts";
import { challengeFor, isPreflight, preflightResponse, withHeaders } from "./headers.ts";
import type { HostNames } from "./host.ts";
import { isOfOwnPage, type Origins } from "./origin.ts";
import { acceptHeaders, handshakeOf, isUpgrade, upgradeRequired } from "./handshake.ts";
import { toPeerSocket } from "./peer-socket.ts";
import { pacedResponse } from "./paced-response.ts";
import { type OpenOptions, PortServer } from "./port-server.ts";
import { logAnswer } from "./request-log.ts";
import type { HttpConnection, HttpRoute } from "./route.ts";
import { isPageAssetPath, isPagePath } from "./page-paths.ts";
import { targetOf } from "./target.ts";
import { TrustedProxies } from "./trusted-proxies.ts";
import { isHealthPath, type WebAccess, webRefusal } from "./web-access.ts";

export interface ListenerSettings extends PeersSettings {
  /** An address, or the path of a Unix socket, which has no port and never TLS. */
  host: string;
  /** 0 picks a free one. */
  port: number;
  /** For https and wss; undefined for http and ws. */
  certificates?: Certificates | undefined;
  http: HttpRoute[];
  access: Access;
  /** Host names that browsers may use, besides addresses, loopback names and `host`. */
  allowHost: HostNames;
  /** Whose word on the addresses of clients counts; undefined: nobody's. */
  trustProxy?: AddressList | undefined;
  /** Origins of other servers whose pages may use this one. */
  allowOrigin: Origins;
  /** Gets a line at debug for each answer. */
  requestLog: Log;
  /** Counts requests that are refused before a route gets them. */
  meter: GatewayMeter;
  /** While true, requests and upgrades get STARTING, except on routes that serve while starting. */
  isStarting?: () => boolean;
  /** Sees the connections that are no WebSockets; undefined, or without a view of them, they are not counted. */
  watch?: ConnectionWatch;
  /** Removed from the beginning of paths: that of a proxy that passes them on as they are. Empty for none. */
  basePath?: string;
  /** The largest message of any route. */
  maxMessageBytes?: number;
}

/** A request that nothing has refused yet. */
interface Arrived {
  request: Request;
  url: URL;
  server: Server<Admitted>;
  address: PeerAddress;
  context: RequestContext;
}

/** Bun stores the admitted handshake with the connection. */
type WebSocketPeer = ServerWebSocket<Admitted>;

/** Bun must not send pings by itself: clients of the old protocol fail on them. */
const webSocketSettings = {
  perMessageDeflate: false,
  sendPings: false,
  idleTimeout: idleTimeoutSeconds,
  backpressureLimit: webSocketBufferBytes,
  closeOnBackpressureLimit: false,
};

/** Messages that are somewhat too large reach the gateway, whose error says more than the close of Bun. */
const payloadMarginBytes = 256 * KiB;

export class Listener implements WatchedPort {
  readonly #settings: ListenerSettings;
  readonly #server: PortServer<Admitted>;
  readonly #peers: Peers;
  readonly #plain: PlainConnections | undefined;
  #access: WebAccess;
  readonly #refusals: RateLimitedLog;
  readonly #unanswered = new Set<Promise<Response>>();
  #closing = false;
  readonly #isSocket: boolean;
  readonly #proxies: TrustedProxies;
  #socketPeers = 0;

  constructor(settings: ListenerSettings) {
    this.#settings = settings;
    this.#proxies = new TrustedProxies(settings.trustProxy);
    this.#peers = new Peers(settings);
    const { host, port, certificates, log, allowHost, allowOrigin, watch, limit, meter } = settings;
    this.#isSocket = isSocketPath(host);
    this.#plain = watch?.seesConnections ? new PlainConnections(limit, meter) : undefined;
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
    watch?.add(this);
  }

  #serve(options: OpenOptions): Server<Admitted> {
    const { host } = this.#settings;
    const handlers = this.#handlers();
    if (!this.#isSocket)
      return Bun.serve<Admitted>({ ...handlers, ...options, hostname: host, idleTimeout: httpIdleSeconds });
    const server = Bun.serve<Admitted>({ ...handlers, unix: host });
    openToGroup(host);
    return server;
  }

  #handlers() {
    return {
      // The routes have limits: `streamsBody`, and `readBody`.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      fetch: (request: Request, server: Server<Admitted>) => this.#answer(request, server),
      error: (error: Error) => this.#internalError(error, { requestId: newRequestId() }),
      websocket: {
        ...webSocketSettings,
        maxPayloadLength: (this.#settings.maxMessageBytes ?? defaultMaxMessageBytes) + payloadMarginBytes,
        open: (socket: WebSocketPeer) => void this.#peers.open(socket.data, toPeerSocket(socket)),
        message: ({ data }: WebSocketPeer, message: string | Buffer) => data.peer!.message(message),
        ping: ({ data }: WebSocketPeer) => data.peer!.controlFrame(),
        pong: ({ data }: WebSocketPeer) => data.peer!.controlFrame(),
        drain: ({ data }: WebSocketPeer) => data.peer!.drained(),
        close: ({ data }: WebSocketPeer) => this.#peers.closed(data),
      },
    };
  }

  get port(): number {
    return this.#server.port;
  }

  /** The URL of a path. */
  address(scheme: "http" | "ws", path: string): string {
    const { host, certificates } = this.#settings;
    if (this.#isSocket) return authorityOf(host, 0);
    return `${scheme}${certificates === undefined ? "" : "s"}://${authorityOf(host, this.port)}${path}`;
  }

  /** Open WebSocket connections. */
  get connections(): number {
    return this.#peers.count;
  }

  /** Which names and origins browsers may use from now on. */
  allow({ allowHost, allowOrigin }: Pick<ListenerSettings, "allowHost" | "allowOrigin">): void {
    this.#access = { ...this.#access, hosts: allowHost, origins: allowOrigin };
  }

  /** Refuses new connections and requests, except for the state of the server; open ones continue. */
  stopAccepting(): void {
    this.#closing = true;
  }

  /** Resolves when no request waits for its answer any more, such as an upload, or after `limitMs`. */
  async untilAnswered(limitMs: number): Promise<void> {
    await Promise.race([Promise.allSettled(this.#unanswered), Bun.sleep(limitMs)]);
  }

  /** Closes every connection and frees the port. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#settings.watch?.remove(this);
    this.#peers.close();
    await this.#answered();
    await this.#server.stop();
    this.#plain?.clear();
  }

  observe(sockets: ReadonlyMap<string, KernelSocket>, kernel: KernelSockets): void {
    this.#plain?.update(sockets, (peer) => this.#peers.has(peer), kernel);
    this.#peers.observe(sockets);
  }

  /** Every answer gets the same headers, errors included. */
  #answer(request: Request, server: Server<Admitted>): Response | Promise<Response> | undefined {
    const context = requestContextOf(request.headers);
    const answered = logAnswer(this.#settings.requestLog, request, context);
    const finish = (response: Response) => {
      answered(response);
      return this.#finish(request, response, context);
    };
    const fail = (error: unknown) => this.#internalError(error, context);
    try {
      const response = this.#fetch(request, server, context);
      if (response instanceof Promise) return this.#track(response.then(finish).catch(fail));
      return response === undefined ? undefined : finish(response);
    } catch (error) {
      return fail(error);
    }
  }

  #track(answer: Promise<Response>): Promise<Response> {
    this.#unanswered.add(answer);
    const answered = (): void => void this.#unanswered.delete(answer);
    answer.then(answered, answered);
    return answer;
  }

  /** Waits for the answers to what others have ended already, such as uploads, until they are in their sockets. */
  async #answered(): Promise<void> {
    await this.untilAnswered(lastAnswersMs);
    await new Promise((resolve) => setImmediate(resolve));
  }

  #finish(request: Request, response: Response, { requestId }: RequestContext): Response {
    if (response.status === 401) response.headers.set("www-authenticate", challengeFor(request.headers));
    // The place of the connection goes to the next one, which may be the first of an honest peer.
    const answer = this.#settings.limit.isReached ? closing(response) : response;
    return withHeaders(answer, this.#allowedOrigin(request), requestId);
  }

  #fetch(
    request: Request,
    server: Server<Admitted>,
    context: RequestContext,
  ): Response | Promise<Response> | undefined {
    const url = targetOf(request, this.#settings.basePath);
    if (this.#closing && !isHealthPath(url.pathname)) return leaving();
    const refusal = webRefusal(request, url.pathname, this.#access);
    if (refusal !== undefined) return this.#refuse(request, refusal);
    if (isPreflight(request)) return preflightResponse();
    const arrived = { request, url, server, address: this.#addressOf(request, server), context };
    let principal: Principal | Promise<Principal>;
    try {
      principal = this.#principalOf(arrived);
    } catch (error) {
      return this.#denied(request, error);
    }
    if (!(principal instanceof Promise)) return this.#route(arrived, principal);
    return this.#routeLater(arrived, principal);
  }

  /** Peers of a Unix socket count as this machine, each with a port of its own, which no real one has. */
  #addressOf(request: Request, server: Server<Admitted>): PeerAddress {
    if (this.#isSocket) return { address: "127.0.0.1", port: -(this.#socketPeers += 1) };
    return server.requestIP(request) ?? unknownAddress;
  }

  /** Throws or rejects if the credential is wrong. */
  #principalOf({ request, url, address: peer }: Arrived): Principal | Promise<Principal> {
    const address = this.#proxies.clientOf(peer.address, request.headers);
    const credentials = takeCredentials(request.headers, url);
    // Before the store is open nothing is known of tokens, and nothing but the state of the server is served.
    // The page and the audio cache share the address `/`.
    const isOpen = isOpenPath(url.pathname) && !isUpgrade(request.headers);
    if (this.#isStarting || isOpen) return nobody(address);
    if (credentials.session !== undefined && !this.#mayUseCookie(request)) {
      throw new WavecacheError("FOREIGN_ORIGIN");
    }
    return this.#settings.access.authenticate(credentials, address);
  }

  /** A browser sends a cookie whoever asks it to: only a page of this server may change anything by that. */
  #mayUseCookie({ method, headers }: Request): boolean {
    if ((method === "GET" || method === "HEAD") && !isUpgrade(headers)) return true;
    return isOfOwnPage(headers, this.#access.scheme, this.#access.origins);
  }

  /** The type of the answer leaves out what Bun expects after an upgrade, which is no answer. */
  async #routeLater(arrived: Arrived, principal: Promise<Principal>): Promise<Response> {
    const known = await principal.catch((error: unknown) => this.#denied(arrived.request, error));
    return known instanceof Response ? known : ((await this.#route(arrived, known)) as Response);
  }

  #denied(request: Request, error: unknown): Response {
    return endBody(errorResponse(error, this.#settings.meter), request);
  }

  #route(arrived: Arrived, principal: Principal): Response | Promise<Response> | undefined {
    const { request, url, server, address, context } = arrived;
    if (isUpgrade(request.headers) && !this.#isStarting) return this.#upgrade(arrived, principal);
    const unavailable = this.#unavailable(address);
    if (this.#isTooLong(request, url)) return this.#tooLong(request);
    const connection: HttpConnection = {
      principal,
      context,
      isSecure: this.#access.scheme === "https" || this.#proxies.isSecure(address.address, request.headers),
      keepOpen: () => server.timeout(request, 0),
      setIdleSeconds: (seconds) => server.timeout(request, seconds),
    };
    for (const route of this.#settings.http) {
      if (unavailable !== undefined && route.servesWhileStarting !== true) continue;
      const response = route.handle(request, url, connection);
      if (response instanceof Promise)
        return response.then((known) => pacedResponse(known, principal.usage.out));
      if (response !== undefined) return pacedResponse(response, principal.usage.out);
    }
    if (unavailable !== undefined)
      return errorResponse(new WavecacheError(unavailable), this.#settings.meter);
    if (this.#peers.knows(url.pathname)) return upgradeRequired();
    return new Response("not found\n", { status: 404 });
  }

  #isTooLong(request: Request, url: URL): boolean {
    if (!(Number(request.headers.get("content-length")) > defaultMaxMessageBytes)) return false;
    return !this.#settings.http.some((route) => route.streamsBody?.(request, url) === true);
  }

  #tooLong(request: Request): Response {
    return endBody(errorResponse(new WavecacheError("MESSAGE_TOO_LARGE"), this.#settings.meter), request);
  }

  get #isStarting(): boolean {
    return this.#settings.isStarting?.() === true;
  }

  /** Why the connection of a request gets no more than the state of the server; undefined if it gets everything. */
  #unavailable(address: PeerAddress): ErrorCode | undefined {
    const refusal = this.#plain?.requested(address);
    return this.#isStarting ? "STARTING" : refusal;
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

  #upgrade({ request, url, server, address, context }: Arrived, principal: Principal): Response | undefined {
    this.#plain?.upgraded(address);
    const admitted = this.#peers.admit(handshakeOf(request, url.pathname, principal, context), address);
    if (admitted instanceof Response) return admitted;
    const headers = acceptHeaders(admitted.route.protocol, context.requestId);
    if (server.upgrade(request, { data: admitted, headers })) return undefined;
    this.#peers.abandon(admitted);
    return new Response("not a WebSocket handshake\n", { status: 400 });
  }

  #internalError(error: unknown, { requestId }: RequestContext): Response {
    this.#settings.log.error("a request failed", { error, requestId });
    return withHeaders(errorResponse(error), undefined, requestId);
  }
}

/** Whether everybody gets this, whatever the credentials: one that has ended must not lock the page. */
function isOpenPath(path: string): boolean {
  return isHealthPath(path) || isPagePath(path) || isPageAssetPath(path);
}

/** The next request may go to another server, or to this one after its restart. */
function leaving(): Response {
  const response = errorResponse(new WavecacheError("SHUTTING_DOWN"));
  response.headers.set("retry-after", "1");
  return closing(response);
}

/** The connection ends after this answer. */
function closing(response: Response): Response {
  response.headers.set("connection", "close");
  return response;
}

/** Of a request over a socket without addresses, or whose connection has ended. */
const unknownAddress: PeerAddress = { address: "", port: 0 };
