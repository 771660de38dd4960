/** The WebSocket connections of a port. */
import type { GatewayMeter } from "../base/gateway-meter.ts";
import { errorRow, WavecacheError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { ConnectionLimit } from "./connection-limit.ts";
import { errorResponse } from "./error-response.ts";
import type { Handshake, Session, Socket, SocketRoute } from "./route.ts";

export interface PeersSettings {
  /** A peer goes to the first route that accepts its path and offered subprotocols. */
  sockets: SocketRoute[];
  /** May be shared between ports. */
  limit: ConnectionLimit;
  /** A peer that reads none of its queued answers for this long is disconnected. */
  stallTimeoutMs: number;
  log: Log;
}

/** A socket that can also be cut without a close handshake. */
export interface PeerSocket extends Socket {
  readonly address: string;
  terminate(): void;
}

/** Checks for stalled peers within one stall timeout. */
const stallChecks = 12;

/** A handshake that was accepted, and counts as a connection. */
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

  /** Whether a gateway serves this path. */
  knows(path: string): boolean {
    return this.#settings.sockets.some((route) => route.accepts(path));
  }

  /** Admits a handshake, or returns the answer that refuses it. An admitted one must be opened or abandoned. */
  admit(handshake: Handshake): Admitted | Response {
    const route = this.#routeOf(handshake);
    if (route === undefined) return new Response("no WebSocket here\n", { status: 404 });
    if (this.#settings.limit.isReached)
      return errorResponse(new WavecacheError("CONNECTIONS_EXHAUSTED"), route.meter);
    this.#settings.limit.opened();
    return { route, handshake };
  }

  /** An admitted handshake failed. */
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

  /** Closes every connection. */
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
    const latestMs = performance.now() - this.#settings.stallTimeoutMs;
    for (const peer of this.#peers) {
      if (peer.stalledSince === undefined || peer.stalledSince > latestMs) continue;
      this.#settings.log.warn("closing a peer that does not read", { address: peer.address });
      peer.meter.failed("PEER_STALLED");
      peer.terminate();
    }
  }
}

/** A connection: its socket, its session, and the time since which it has not read its answers. */
export class Peer implements Socket {
  readonly meter: GatewayMeter;
  readonly #socket: PeerSocket;
  session: Session | undefined;
  /** Undefined while the peer reads its answers. */
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

  controlFrame(): void {
    this.session!.controlFrame?.();
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

  ping(): void {
    this.#socket.ping();
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
