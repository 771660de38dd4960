/**
 * The sockets of an accepting thread. It listens on a port that it shares with others, and asks the main thread whether
 * a WebSocket may be opened. Messages go over the lane; plain HTTP goes to the main thread's own HTTP socket.
 */
import type { Server, ServerWebSocket } from "bun";
import { failpoint } from "../../src/base/failpoint.ts";
import { giveBack } from "../../src/base/give-back.ts";
import { acceptReportBytes, maxFrameBytes } from "../../src/base/limits.ts";
import { webSocketSettings } from "../../src/base/web-socket-settings.ts";
import {
  type AcceptStart,
  agreement,
  decodeClose,
  decodeText,
  encodeText,
  Inbox,
  Outbox,
  PEER_ASKS,
  PEER_BINARY,
  PEER_CLOSED,
  PEER_OPEN,
  PEER_TEXT,
  PEER_TOOK,
  PEERS_WELCOME,
  type PeerAdmission,
  type PeerHandshake,
  type PeerRefusal,
  SEND_ADMIT,
  SEND_BINARY,
  SEND_BINARY_PART,
  SEND_CLOSE,
  SEND_CUT,
  SEND_END,
  SEND_PAUSE,
  SEND_REFUSE,
  SEND_RESUME,
  SEND_TEXT,
  SEND_TEXT_PART,
  splitProtocols,
} from "../../src/lane/accept-tasks.ts";
import { changedOver } from "../../src/lane/lane.ts";
import { type LaneOwner, LanePort } from "../../src/lane/lane-port.ts";
import { type Body, encodeNumber } from "../../src/lane/tasks.ts";
import { type Feeder, Turns } from "../../src/lane/turns.ts";
import type { LaneStart } from "../thread.ts";

type WebSocketPeer = ServerWebSocket<Connection>;

const nothing = new Uint8Array(0);

export class AcceptJobs implements LaneOwner {
  readonly #start: AcceptStart;
  readonly #port: LanePort;
  readonly #server: Server<Connection>;
  readonly #connections = new Map<number, Connection>();
  readonly #turns: Turns<Connection>;
  #nextConnection = 1;

  constructor(start: LaneStart & AcceptStart) {
    this.#start = start;
    this.#port = new LanePort(changedOver(start.lane), this);
    this.#turns = new Turns(this.#port);
    this.#server = Bun.serve<Connection>({
      hostname: start.host,
      port: start.port,
      reusePort: true,
      maxRequestBodySize: maxFrameBytes,
      fetch: (request, server) => this.#fetch(request, server),
      websocket: {
        ...webSocketSettings,
        open: (socket) => socket.data.opened(socket),
        message: ({ data }, message) => data.message(message),
        drain: ({ data }) => data.report(1),
        close: ({ data }) => data.closed(),
      },
    });
    this.#port.send(PEERS_WELCOME, 0, nothing);
  }

  onResult(kind: number, subject: number, body: Body): void {
    if (kind === SEND_END) return void this.#end();
    this.#connections.get(subject)?.task(kind, body);
  }

  onRoom(): void {
    this.#turns.room();
  }

  #fetch(request: Request, server: Server<Connection>): Promise<Response | undefined> {
    if (request.headers.get("upgrade")?.toLowerCase() === "websocket") return this.#upgrade(request, server);
    // The main thread's HTTP socket knows how long an answer may be silent.
    server.timeout(request, 0);
    return this.#forward(request);
  }

  #forward(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    return fetch(`http://${request.headers.get("host") ?? "localhost"}${pathname}${search}`, {
      unix: this.#start.httpSocket,
      method: request.method,
      headers: request.headers,
      body: request.body,
      redirect: "manual",
      decompress: false,
      signal: request.signal,
    });
  }

  async #upgrade(request: Request, server: Server<Connection>): Promise<Response | undefined> {
    const connection = new Connection(this.#nextConnection++, this.#port, this.#turns, () => {
      this.#connections.delete(connection.number);
      this.#turns.delete(connection);
    });
    this.#connections.set(connection.number, connection);
    this.#turns.add(connection);
    const verdict = await connection.ask({
      path: new URL(request.url).pathname,
      userAgent: request.headers.get("user-agent") ?? "",
      protocols: splitProtocols(request.headers.get("sec-websocket-protocol")),
      address: server.requestIP(request)?.address ?? "",
    });
    if ("status" in verdict) {
      connection.closed();
      return new Response(verdict.body, { status: verdict.status, headers: verdict.headers });
    }
    const headers = agreement(verdict.protocol);
    if (server.upgrade(request, { data: connection, headers })) return undefined;
    connection.closed();
    return new Response("not a WebSocket handshake\n", { status: 400 });
  }

  async #end(): Promise<void> {
    await this.#server.stop(true);
    this.#port.stop();
    process.exit();
  }
}

/** One WebSocket, from its handshake until the main thread has all of it. */
class Connection implements Feeder {
  readonly number: number;
  readonly yields = true;
  readonly #port: LanePort;
  readonly #turns: Turns<Connection>;
  readonly #outbox: Outbox;
  readonly #inbox = new Inbox();
  readonly #verdict = Promise.withResolvers<PeerAdmission | PeerRefusal>();
  /** Called once the last message, its end, is in the lane. */
  readonly #gone: () => void;
  #socket: WebSocketPeer | undefined;
  #isClosed = false;
  #isHeld = false;
  #isPaused = false;
  #wasPaused = false;
  #sentBytes = 0;
  #reportedBytes = 0;

  constructor(number: number, port: LanePort, turns: Turns<Connection>, gone: () => void) {
    this.number = number;
    this.#port = port;
    this.#turns = turns;
    this.#outbox = new Outbox(port, number);
    this.#gone = gone;
  }

  /** What the main thread says to a handshake. */
  ask(handshake: PeerHandshake): Promise<PeerAdmission | PeerRefusal> {
    this.#port.send(PEER_ASKS, this.number, encodeText(JSON.stringify(handshake)));
    return this.#verdict.promise;
  }

  opened(socket: WebSocketPeer): void {
    this.#socket = socket;
    this.#port.send(PEER_OPEN, this.number, nothing);
    this.#updatePause();
  }

  message(message: string | Uint8Array): void {
    failpoint("accept.message");
    if (typeof message === "string") this.#put(PEER_TEXT, encodeText(message));
    else if (this.#put(PEER_BINARY, message)) giveBack(message);
  }

  closed(): void {
    this.#isClosed = true;
    if (this.#put(PEER_CLOSED, nothing)) this.#gone();
  }

  hold(): void {
    this.#isHeld = true;
    this.#updatePause();
  }

  room(): void {
    if (!this.#outbox.flush()) return this.#turns.full(this);
    this.#isHeld = false;
    if (this.#isClosed) this.#gone();
    else this.#updatePause();
  }

  /** How much of what it was sent the peer's system has: told now and then, since nobody waits for single bytes. */
  report(leastBytes: number): void {
    const taken = this.#sentBytes - Math.min(this.#sentBytes, this.#socket!.getBufferedAmount());
    const unreported = taken - this.#reportedBytes;
    if (unreported <= 0 || unreported < leastBytes) return;
    this.#reportedBytes = taken;
    this.#port.send(PEER_TOOK, this.number, encodeNumber(unreported));
  }

  task(kind: number, body: Body): void {
    switch (kind) {
      case SEND_ADMIT:
      case SEND_REFUSE:
        return this.#verdict.resolve(JSON.parse(decodeText(this.#inbox.take(body))));
      case SEND_TEXT_PART:
      case SEND_BINARY_PART:
        return this.#inbox.add(body);
      case SEND_TEXT:
      case SEND_BINARY:
        return this.#send(this.#inbox.take(body), kind === SEND_TEXT);
      case SEND_PAUSE:
      case SEND_RESUME:
        this.#isPaused = kind === SEND_PAUSE;
        return this.#updatePause();
      case SEND_CLOSE: {
        const { code, reason } = decodeClose(body);
        return this.#socket?.close(code, reason);
      }
      case SEND_CUT:
        return this.#socket?.terminate();
      default:
        throw new RangeError(`an accepting thread has no task of kind ${kind}`);
    }
  }

  #send(message: Uint8Array, isText: boolean): void {
    const socket = this.#socket!;
    this.#sentBytes += message.length;
    const sent = socket.send(isText ? decodeText(message) : message);
    // Far too much waits for it: a peer may lose its connection, but nothing in the middle of it.
    if (sent === 0 && message.length > 0) socket.terminate();
    else this.report(acceptReportBytes);
  }

  #put(kind: number, bytes: Uint8Array): boolean {
    if (this.#outbox.put(kind, bytes)) {
      this.#turns.wrote(this);
      return true;
    }
    this.#turns.full(this);
    this.hold();
    return false;
  }

  #updatePause(): void {
    const pause = this.#isHeld || this.#isPaused;
    if (this.#socket === undefined || this.#isClosed || pause === this.#wasPaused) return;
    this.#wasPaused = pause;
    if (pause) this.#socket.pause();
    else this.#socket.resume();
  }
}
