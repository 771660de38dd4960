/** The WebSocket connections of a port. */
import { type ErrorCode, errorRow, WavecacheError } from "../../base/errors.ts";
import { messageTimeoutMs } from "../../base/limits/connections.ts";
import type { Log } from "../../base/log/log.ts";
import { RateLimitedLog } from "../../base/log/rate-limited-log.ts";
import { errorResponse } from "../error-response.ts";
import type { Handshake, SocketRoute } from "../route.ts";
import type { ConnectionLimit, ConnectionSlot } from "./connection-limit.ts";
import { type KernelSocket, peerKey } from "./kernel-sockets.ts";
import { Peer, type PeerSocket } from "./peer.ts";
import type { PeerAddress } from "./plain-connections.ts";

export interface PeersSettings {
  /** A peer goes to the first route that accepts its path and offered subprotocols. */
  sockets: SocketRoute[];
  /** May be shared between ports. */
  limit: ConnectionLimit;
  /** A peer that reads none of its queued answers for this long is disconnected. */
  stallTimeoutMs: number;
  /** A message that is not complete after this long ends its connection. */
  messageTimeoutMs?: number;
  log: Log;
}

/** Checks for stalled peers within one stall timeout. */
const stallChecks = 12;

/** A handshake that was accepted, and has the place of a connection. */
export interface Admitted {
  route: SocketRoute;
  handshake: Handshake;
  address: PeerAddress;
  slot: ConnectionSlot;
  /** Gives the place among the connections of the principal back. */
  release: () => void;
  /** Undefined until the handshake is complete. */
  peer: Peer | undefined;
  /** Stops watching whether the principal of the connection is over. */
  forget: () => void;
}

export class Peers {
  readonly #settings: PeersSettings;
  readonly #log: RateLimitedLog;
  /** By address and port of the peer. */
  readonly #peers = new Map<string, Peer>();
  readonly #stallCheck: Timer;

  constructor(settings: PeersSettings) {
    this.#settings = settings;
    this.#log = new RateLimitedLog(settings.log);
    this.#stallCheck = setInterval(() => this.#closeStalled(), settings.stallTimeoutMs / stallChecks);
  }

  get count(): number {
    return this.#peers.size;
  }

  /** Whether a gateway serves this path. */
  knows(path: string): boolean {
    return this.#settings.sockets.some((route) => route.accepts(path));
  }

  /** Whether this peer has a WebSocket. */
  has(peer: string): boolean {
    return this.#peers.has(peer);
  }

  /** Admits a handshake, or returns the answer that refuses it. An admitted one must be opened or abandoned. */
  admit(handshake: Handshake, address: PeerAddress): Admitted | Response {
    const route = this.#routeOf(handshake);
    const { requestId } = handshake.context;
    if (route === undefined) return new Response("no WebSocket here\n", { status: 404 });
    let release: () => void;
    try {
      route.requireAccess(handshake);
      release = handshake.principal.usage.openConnection();
    } catch (error) {
      return errorResponse(error, route.meter);
    }
    const slot = this.#settings.limit.admit(address.address, (code) => this.#evict(admitted, code));
    if (typeof slot === "string") {
      release();
      this.#log.warn("a connection is refused", { address: address.address, code: slot, requestId });
      return errorResponse(new WavecacheError(slot), route.meter);
    }
    const admitted: Admitted = {
      route,
      handshake,
      address,
      slot,
      release,
      peer: undefined,
      forget: () => undefined,
    };
    return admitted;
  }

  open(admitted: Admitted, socket: PeerSocket): Peer {
    const { route, handshake, address } = admitted;
    const peer = new Peer(socket, admitted);
    admitted.peer = peer;
    this.#peers.set(peerKey(address), peer);
    route.meter.opened();
    peer.session = route.open(peer, handshake);
    // A connection must not outlive the right to it.
    admitted.forget = handshake.principal.whenOver(() => this.#end(peer, "UNAUTHENTICATED"));
    return peer;
  }

  /** The handshake has failed. */
  abandon({ slot, release }: Admitted): void {
    slot.release();
    release();
  }

  closed({ peer, address, slot, forget }: Admitted): void {
    forget();
    if (peer === undefined) return;
    const key = peerKey(address);
    // A later connection of the peer may have the same port already.
    if (this.#peers.get(key) === peer) this.#peers.delete(key);
    slot.release();
    peer.meter.closed();
    peer.closed();
  }

  /** Closes peers that have not completed a message for too long: Bun does not report a message before its end. */
  observe(sockets: ReadonlyMap<string, KernelSocket>): void {
    const now = performance.now();
    for (const [key, peer] of this.#peers) {
      const socket = sockets.get(key);
      if (socket === undefined) continue;
      peer.progress.observe(socket.receivedBytes, now);
      if (peer.progress.unfinishedMs(now) >= (this.#settings.messageTimeoutMs ?? messageTimeoutMs))
        this.#end(peer, "MESSAGE_UNFINISHED");
    }
  }

  /** Closes every connection. */
  close(): void {
    clearInterval(this.#stallCheck);
    const { close, reason } = errorRow("SHUTTING_DOWN");
    for (const peer of this.#peers.values()) peer.close(close, reason);
  }

  #routeOf({ path, protocols }: Handshake): SocketRoute | undefined {
    return this.#settings.sockets.find(
      (route) => route.accepts(path) && (route.protocol === undefined || protocols.includes(route.protocol)),
    );
  }

  #closeStalled(): void {
    const latestMs = performance.now() - this.#settings.stallTimeoutMs;
    for (const peer of this.#peers.values()) {
      if (peer.stalledSince === undefined || peer.stalledSince > latestMs) continue;
      const { address, requestId } = peer;
      this.#settings.log.warn("closing a peer that does not read", { address, requestId });
      peer.meter.failed("PEER_STALLED");
      peer.terminate();
    }
  }

  /** The place of the connection is free already. */
  #evict({ peer }: Admitted, code: ErrorCode): void {
    if (peer !== undefined) this.#end(peer, code);
  }

  #end(peer: Peer, code: ErrorCode): void {
    const { address, requestId } = peer;
    this.#log.warn("closing a peer", { address, code, requestId });
    peer.meter.failed(code);
    const { close, reason } = errorRow(code);
    peer.close(close, reason);
    // A peer that does not answer the Close would keep its descriptor.
    peer.terminate();
  }
}
