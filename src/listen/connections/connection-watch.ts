/**
 * Watches the connections that Bun does not report, and the descriptors of the process. Near the limit of descriptors
 * silent connections are closed, and new ones need the place of a silent one: without a free descriptor no file opens,
 * and Bun's servers spin at full processor time.
 */
import { openDescriptors } from "../../base/system/descriptors.ts";
import type { ConnectionLimit } from "./connection-limit.ts";
import { type KernelSocket, KernelSockets } from "./kernel-sockets.ts";

/** A port whose connections are compared with those of the kernel. */
export interface WatchedPort {
  readonly port: number;
  /** `sockets`: the connections of this port, by their peers. */
  observe(sockets: ReadonlyMap<string, KernelSocket>, kernel: KernelSockets): void;
}

/** Counting descriptors takes 3 us. */
const countMs = 100;
/**
 * Listing takes 4 us a connection. It happens this often if the number of descriptors changes, and this often otherwise;
 * less often if it would take more than this part of the time.
 */
const listMs = 1_000;
const idleListMs = 5_000;
const maxListShare = 1 / 100;
/** So many new descriptors, and so many more for each that is open, are listed at once. */
const burstDescriptors = 32;
const burstShare = 1 / 8;
/** At a limit, listing frees places, and may take up to this part of the time. */
const maxFreeingShare = 1 / 10;

export class ConnectionWatch {
  readonly #limit: ConnectionLimit;
  /** Above this number of descriptors they count as short. */
  readonly #maxDescriptors: number;
  readonly #kernel = KernelSockets.open();
  readonly #ports = new Set<WatchedPort>();
  readonly #timer: Timer;
  #listedAtMs = Number.NEGATIVE_INFINITY;
  #listingTookMs = 0;
  #isListing = false;
  #listedDescriptors = 0;

  constructor(limit: ConnectionLimit, maxDescriptors: number) {
    this.#limit = limit;
    this.#maxDescriptors = maxDescriptors;
    limit.onReached = () => this.#listAgain();
    this.#timer = setInterval(() => this.#check(), countMs);
    this.#timer.unref();
  }

  /** Whether connections can be seen on this system. */
  get seesConnections(): boolean {
    return this.#kernel !== undefined;
  }

  add(port: WatchedPort): void {
    this.#ports.add(port);
  }

  remove(port: WatchedPort): void {
    this.#ports.delete(port);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#kernel?.close();
  }

  #check(): void {
    const descriptors = this.#count();
    if (this.#isDue(descriptors)) this.#list(descriptors);
    const excess = descriptors - this.#maxDescriptors;
    if (excess > 0) this.#limit.makeRoom(excess);
  }

  /** 0 where descriptors cannot be counted. */
  #count(): number {
    const descriptors = openDescriptors() ?? 0;
    this.#limit.isShort = descriptors > this.#maxDescriptors;
    return descriptors;
  }

  #isDue(descriptors: number): boolean {
    const sinceMs = performance.now() - this.#listedAtMs;
    if (this.#limit.isShort || sinceMs >= idleListMs) return true;
    const newDescriptors = descriptors - this.#listedDescriptors;
    if (newDescriptors >= burstDescriptors + burstShare * this.#listedDescriptors) return true;
    return newDescriptors !== 0 && sinceMs >= Math.max(listMs, this.#listingTookMs / maxListShare);
  }

  /** Frees the places of connections that ended since the last list, and counts descriptors that are free by now. */
  #listAgain(): void {
    const descriptors = this.#count();
    const sinceMs = performance.now() - this.#listedAtMs;
    if (!this.#isListing && sinceMs * maxFreeingShare >= this.#listingTookMs) this.#list(descriptors);
  }

  #list(descriptors: number): void {
    if (this.#kernel === undefined) return;
    const beganMs = performance.now();
    this.#isListing = true;
    try {
      this.#observe(this.#kernel);
    } finally {
      this.#isListing = false;
    }
    this.#listedDescriptors = descriptors;
    this.#listedAtMs = performance.now();
    this.#listingTookMs = this.#listedAtMs - beganMs;
  }

  #observe(kernel: KernelSockets): void {
    const byPort = new Map(Array.from(this.#ports, ({ port }) => [port, new Map<string, KernelSocket>()]));
    const sockets = kernel.accepted(new Set(byPort.keys()));
    if (sockets === undefined) return;
    for (const socket of sockets) byPort.get(socket.localPort)!.set(socket.peer, socket);
    for (const port of this.#ports) port.observe(byPort.get(port.port)!, kernel);
  }
}
