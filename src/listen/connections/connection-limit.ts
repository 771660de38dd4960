/**
 * Limits the connections of all ports that share it, in total and per address. A connection is silent until its first
 * message or request. At a limit the oldest silent connection makes room for a new one: connections that only take up
 * places cannot keep out peers that use theirs.
 */
import { isLoopback } from "../../base/address-list.ts";
import type { ErrorCode } from "../../base/errors.ts";
import { evictionGraceMs, firstMessageMs, silentFlood } from "../../base/limits/connections.ts";
import { networkOf } from "../../base/address-network.ts";

export interface ConnectionLimits {
  max: number;
  maxPerAddress: number;
  /** Whether loopback addresses, which a proxy on this machine gives all its clients, have that limit too. */
  limitsLoopback: boolean;
  /** A connection that is silent for this long is closed. */
  firstMessageMs?: number;
}

/** Closes the connection at once. Its place is free already. */
export type Evict = (code: ErrorCode) => void;

/** The connections of one address. */
interface Neighbours {
  count: number;
  readonly silent: Set<ConnectionSlot>;
}

const checkMs = 1_000;
const nobody: ReadonlySet<ConnectionSlot> = new Set();

export class ConnectionLimit {
  #limits: ConnectionLimits;
  readonly #firstMessageMs: number;
  readonly #addresses = new Map<string, Neighbours>();
  /** In the order of their arrival. */
  readonly #silent = new Set<ConnectionSlot>();
  readonly #timer: Timer;
  #open = 0;
  /** Nothing may open more descriptors now: a new connection needs the place of a silent one. */
  isShort = false;
  /** Called before a connection is refused or evicted: it may release the places of connections that have ended. */
  onReached: () => void = () => undefined;

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
    this.#firstMessageMs = limits.firstMessageMs ?? firstMessageMs;
    this.#timer = setInterval(() => this.#closeSilent(), Math.min(checkMs, this.#firstMessageMs / 4));
    this.#timer.unref();
  }

  get open(): number {
    return this.#open;
  }

  get max(): number {
    return this.#limits.max;
  }

  /** Connections beyond a lower limit stay; no further one gets a place before they have ended. */
  change(limits: ConnectionLimits): void {
    this.#limits = limits;
  }

  /** A further connection gets a place only if a silent one gives up its own. */
  get isReached(): boolean {
    return this.isShort || this.#open >= this.#limits.max;
  }

  /** Takes a place for a connection, or returns why there is none. `evict` is called at most once. */
  admit(address: string, evict: Evict): ConnectionSlot | ErrorCode {
    const network = networkOf(address);
    const maxOfAddress = this.#maxOf(address);
    if (this.isReached || this.#countOf(network) >= maxOfAddress) this.onReached();
    if (this.#countOf(network) >= maxOfAddress && !evictOldest(this.#silentOf(network), "ADDRESS_EXHAUSTED"))
      return "ADDRESS_EXHAUSTED";
    if (this.isReached && !evictOldest(this.#silent, "CONNECTIONS_EXHAUSTED")) return "CONNECTIONS_EXHAUSTED";
    return this.#enter(network, evict);
  }

  /** Evicts up to `count` silent connections, the oldest first. */
  makeRoom(count: number): void {
    for (let left = count; left > 0; left--) if (!evictOldest(this.#silent, "CONNECTIONS_EXHAUSTED")) return;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #countOf(network: string): number {
    return this.#addresses.get(network)?.count ?? 0;
  }

  #silentOf(network: string): ReadonlySet<ConnectionSlot> {
    return this.#addresses.get(network)?.silent ?? nobody;
  }

  #maxOf(address: string): number {
    const { maxPerAddress, limitsLoopback } = this.#limits;
    return limitsLoopback || !isLoopback(address) ? maxPerAddress : Number.POSITIVE_INFINITY;
  }

  #enter(network: string, evict: Evict): ConnectionSlot {
    const neighbours = this.#addresses.get(network) ?? { count: 0, silent: new Set() };
    this.#addresses.set(network, neighbours);
    this.#open += 1;
    neighbours.count += 1;
    const slot = new ConnectionSlot(evict, [this.#silent, neighbours.silent], () => {
      this.#open -= 1;
      neighbours.count -= 1;
      if (neighbours.count === 0) this.#addresses.delete(network);
    });
    return slot;
  }

  #closeSilent(): void {
    const latestMs = performance.now() - this.#firstMessageMs;
    for (const slot of this.#silent) {
      if (slot.openedAtMs > latestMs) return;
      slot.evict("PEER_SILENT");
    }
  }
}

/** The place of one connection. It is silent at first. */
export class ConnectionSlot {
  readonly openedAtMs = performance.now();
  readonly #evict: Evict;
  readonly #silent: readonly Set<ConnectionSlot>[];
  readonly #onReleased: () => void;
  #isReleased = false;

  constructor(evict: Evict, silent: readonly Set<ConnectionSlot>[], onReleased: () => void) {
    this.#evict = evict;
    this.#silent = silent;
    this.#onReleased = onReleased;
    for (const set of silent) set.add(this);
  }

  /** The peer has sent its first message or request. */
  spoke(): void {
    for (const set of this.#silent) set.delete(this);
  }

  /** The connection is over. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.spoke();
    this.#onReleased();
  }

  /** Closes the connection, and frees its place at once. */
  evict(code: ErrorCode): void {
    this.release();
    this.#evict(code);
  }
}

/** The first message of a connection that was opened just now may be on its way, unless many like it wait. */
function evictOldest(silent: ReadonlySet<ConnectionSlot>, code: ErrorCode): boolean {
  const oldest = silent.values().next().value;
  if (oldest === undefined) return false;
  const isYoung = performance.now() - oldest.openedAtMs < evictionGraceMs;
  if (isYoung && silent.size < silentFlood) return false;
  oldest.evict(code);
  return true;
}
