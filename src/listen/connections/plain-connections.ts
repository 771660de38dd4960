/**
 * The TCP connections of an HTTP port that are not WebSockets: those that are silent, and those that HTTP keeps alive.
 * They count against the connection limit too.
 */
import type { ErrorCode } from "../../base/errors.ts";
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import { evictionGraceMs } from "../../base/limits/connections.ts";
import type { ConnectionLimit, ConnectionSlot } from "./connection-limit.ts";
import { type KernelSocket, type KernelSockets, peerKey } from "./kernel-sockets.ts";

export interface PeerAddress {
  address: string;
  port: number;
}

type Cutter = Pick<KernelSockets, "shutDown">;

/** A connection without a place is closed after this long. */
const unplacedMs = 1_000;

export class PlainConnections {
  readonly #limit: ConnectionLimit;
  /** Counts the connections that are closed. */
  readonly #meter: GatewayMeter;
  readonly #slots = new Map<string, ConnectionSlot>();
  /** When connections without a place were first seen. */
  #unplaced = new Map<string, number>();

  constructor(limit: ConnectionLimit, meter: GatewayMeter) {
    this.#limit = limit;
    this.#meter = meter;
  }

  get count(): number {
    return this.#slots.size;
  }

  /** A request has arrived. Returns why its connection gets no place, if it does not. */
  requested(peer: PeerAddress): ErrorCode | undefined {
    const known = this.#slots.get(peerKey(peer));
    if (known !== undefined) {
      known.spoke();
      return undefined;
    }
    // A connection that has spoken is never evicted.
    const slot = this.#limit.admit(peer.address, () => undefined);
    if (typeof slot === "string") return slot;
    slot.spoke();
    this.#slots.set(peerKey(peer), slot);
    return undefined;
  }

  /** The connection becomes a WebSocket, which has a place of its own. */
  upgraded(peer: PeerAddress): void {
    this.#remove(peerKey(peer));
  }

  /** Compares with the connections that the kernel has on this port, by their peers. */
  update(
    sockets: ReadonlyMap<string, KernelSocket>,
    isWebSocket: (peer: string) => boolean,
    kernel: Cutter,
  ): void {
    for (const peer of this.#slots.keys()) if (!sockets.has(peer)) this.#remove(peer);
    const unplaced = new Map<string, number>();
    for (const socket of sockets.values()) {
      const { peer } = socket;
      if (this.#slots.has(peer) || isWebSocket(peer)) continue;
      const sinceMs = this.#unplaced.get(peer);
      if (!mayAsk(socket, sinceMs) && this.#admitSilent(socket, kernel)) continue;
      if (this.#isTimeUp(sinceMs)) kernel.shutDown(socket);
      else unplaced.set(peer, sinceMs ?? performance.now());
    }
    this.#unplaced = unplaced;
  }

  /** Frees all places. */
  clear(): void {
    for (const peer of this.#slots.keys()) this.#remove(peer);
  }

  /** Takes a place for a connection that has not spoken yet. False if there is none. */
  #admitSilent(socket: KernelSocket, kernel: Cutter): boolean {
    const { peer } = socket;
    const slot = this.#limit.admit(peer.slice(0, peer.indexOf(" ")), (code) => {
      this.#slots.delete(peer);
      this.#meter.failed(code);
      kernel.shutDown(socket);
    });
    if (typeof slot === "string") return false;
    this.#slots.set(peer, slot);
    return true;
  }

  /** The request of a new connection may be on its way, and gets an answer even if the connection has no place. */
  #isTimeUp(sinceMs: number | undefined): boolean {
    if (sinceMs === undefined) return false;
    return performance.now() - sinceMs >= (this.#limit.isShort ? evictionGraceMs : unplacedMs);
  }

  #remove(peer: string): void {
    this.#slots.get(peer)?.release();
    this.#slots.delete(peer);
  }
}

/** At first sight of a connection its request may have arrived, and will be answered in a moment. */
function mayAsk({ receivedBytes }: KernelSocket, seenAtMs: number | undefined): boolean {
  return seenAtMs === undefined && receivedBytes > 0;
}
