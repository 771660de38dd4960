/** Decides when to close a connection that receives nothing, and when to ping so that the peer does not close it. */

/** The peer hears from us this many times within its idle timeout, so a late ping does no harm. */
const pingsPerIdle = 3;

export class Keepalive {
  readonly #idleMs: number;
  #peerIdleMs = 0;
  #hasReceived = false;
  #receivedAt: number;
  #sentAt: number;

  /** `idleMs`: close after this long without a message; 0 for never. `now`: monotonic clock, in ms. */
  constructor(idleMs: number, now: number) {
    this.#idleMs = idleMs;
    this.#receivedAt = now;
    this.#sentAt = now;
  }

  /** Sets the peer's idle timeout; 0 for none. */
  setPeerIdle(idleMs: number): void {
    this.#peerIdleMs = idleMs;
  }

  /** Only sets a flag, since it runs for every message; the next `check` reads the time. */
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
    return this.#peerIdleMs > 0 && now - this.#sentAt >= this.#peerIdleMs / pingsPerIdle ? "ping" : undefined;
  }
}
