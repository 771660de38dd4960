/** When a connection on which nothing comes is closed, and when the peer has to hear something so that it does not close. */

/** Whoever wants to hear something every so often hears it when a third of that is over. */
const pingFraction = 3;

export class Keepalive {
  readonly #idleMs: number;
  #peerIdleMs = 0;
  #hasReceived = false;
  #receivedAt: number;
  #sentAt: number;

  /** `idleMs`: how long nothing may come; 0 for any time. `now` is of the monotonic clock, in ms. */
  constructor(idleMs: number, now: number) {
    this.#idleMs = idleMs;
    this.#receivedAt = now;
    this.#sentAt = now;
  }

  /** How long the peer waits; 0 for any time. */
  peerWants(idleMs: number): void {
    this.#peerIdleMs = idleMs;
  }

  received(): void {
    this.#hasReceived = true;
  }

  sent(now: number): void {
    this.#sentAt = now;
  }

  check(now: number): "close" | "ping" | undefined {
    if (this.#hasReceived) this.#receivedAt = now;
    this.#hasReceived = false;
    if (this.#idleMs > 0 && now - this.#receivedAt > this.#idleMs) return "close";
    return this.#peerIdleMs > 0 && now - this.#sentAt >= this.#peerIdleMs / pingFraction ? "ping" : undefined;
  }
}
