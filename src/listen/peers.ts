/** The WebSocket connections of a port. */
import type { GatewayMeter } from "../base/gateway-meter.ts";
import { errorRow, WavecacheError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { ConnectionLimit } from "./connection-limit.ts";
import { errorResponse } from "./error-response.ts";
import type { Handshake, Session, Socket, SocketRoute } from "./route.ts";

export interface PeersSettings {
  /** The first that accepts a path, and speaks what the peer offers, gets it. */
  sockets: SocketRoute[];
  /** May be shared with other ports. */
  limit: ConnectionLimit;
  /** A peer that takes none of its answers for this long is closed. */
  stallTimeoutMs: number;
  log: Log;
}

/** A socket that can also be cut without a word. */
export interface PeerSocket extends Socket {
  readonly address: string;
  terminate(): void;
}

/** How often stalled peers are looked for, in parts of the time that they are given. */
const stallChecks = 12;

/** A handshake that may go on. */
export interface Admitted {
  route: SocketRoute;
  handshake: Handshake;
}

export class Peers {
  readonly #settings: PeersSettings;
  readonly #peers = new Set<Peer>();
  readonly #stallCheck: Timer;

  constructor(settings: PeersSettings) {
    this.#settings = settings;
    this.#stallCheck = setInterval(() => this.#closeStalled(), settings.stallTimeoutMs / stallChecks);
  }

  get count(): number {
    return this.#peers.size;
  }

  /** Whether any door is on this path. */
  knows(path: string): boolean {
    return this.#settings.sockets.some((route) => route.accepts(path));
  }

  /** Whether a handshake may go on, or what it is refused with. One that may is to be opened or abandoned. */
  admit(handshake: Handshake): Admitted | Response {
    const route = this.#routeOf(handshake);
    if (route === undefined) return new Response("no WebSocket here\n", { status: 404 });
    if (this.#settings.limit.isReached)
      return errorResponse(new WavecacheError("CONNECTIONS_EXHAUSTED"), route.meter);
    this.#settings.limit.opened();
    return { route, handshake };
  }

  /** An admitted handshake came to nothing. */
  abandon(): void {
    this.#settings.limit.closed();
  }

  open({ route, handshake }: Admitted, socket: PeerSocket): Peer {
    const peer = new Peer(socket, route.meter);
    this.#peers.add(peer);
    route.meter.opened();
    peer.session = route.open(peer, handshake);
    return peer;
  }

  closed(peer: Peer): void {
    this.#peers.delete(peer);
    this.#settings.limit.closed();
    peer.meter.closed();
    peer.session?.closed();
  }

  /** Says good-bye to everybody. */
  close(): void {
    clearInterval(this.#stallCheck);
    const { close, reason } = errorRow("SHUTTING_DOWN");
    for (const peer of this.#peers) peer.close(close, reason);
  }

  #routeOf({ path, protocols }: Handshake): SocketRoute | undefined {
    return this.#settings.sockets.find(
      (route) => route.accepts(path) && (route.protocol === undefined || protocols.includes(route.protocol)),
    );
  }

  #closeStalled(): void {
    const latest = performance.now() - this.#settings.stallTimeoutMs;
    for (const peer of this.#peers) {
      if (peer.stalledSince === undefined || peer.stalledSince > latest) continue;
      this.#settings.log.warn("closing a peer that does not read", { address: peer.address });
      peer.meter.failed("PEER_STALLED");
      peer.terminate();
    }
  }
}

/** A connection: its socket, its session, and since when it leaves answers untaken. */
export class Peer implements Socket {
  readonly meter: GatewayMeter;
  readonly #socket: PeerSocket;
  session: Session | undefined;
  /** Undefined while it takes its answers. */
  stalledSince: number | undefined;

  constructor(socket: PeerSocket, meter: GatewayMeter) {
    this.#socket = socket;
    this.meter = meter;
  }

  get address(): string {
    return this.#socket.address;
  }

  message(message: string | Uint8Array): void {
    this.meter.bytesIn += payloadBytes(message);
    if (typeof message === "string") this.session!.text(message);
    else this.session!.binary(message);
  }

  drained(): void {
    this.stalledSince = undefined;
    this.session!.drained();
  }

  send(message: string | Uint8Array): "sent" | "queued" | "dropped" {
    const outcome = this.#socket.send(message);
    if (outcome !== "dropped") this.meter.bytesOut += payloadBytes(message);
    if (outcome === "queued") this.stalledSince ??= performance.now();
    return outcome;
  }

  bufferedBytes(): number {
    return this.#socket.bufferedBytes();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }

  terminate(): void {
    this.#socket.terminate();
  }
}

function payloadBytes(message: string | Uint8Array): number {
  return typeof message === "string" ? Buffer.byteLength(message) : message.length;
}
