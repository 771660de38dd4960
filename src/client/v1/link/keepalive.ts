/** The keepalive of a link: when to send PING, and when to give up a silent server. */
import { ClientError } from "../../errors.ts";
import { pingIntervalMs, serverIdleTimeoutMs } from "../../limits.ts";

/** All times are milliseconds of one monotonic clock. */
export class Keepalive {
  /** When the last frame arrived. */
  receivedMs: number;
  /** When the last frame was sent. */
  sentMs: number;
  readonly #serverTimeoutMs: number;
  #pingedMs = -Infinity;
  #nonce = 0;

  /** `idleMs` is the server's own idle timeout, after which it closes the connection; 0 for none. */
  constructor(idleMs: number, nowMs: number) {
    this.#serverTimeoutMs = idleMs === 0 ? Infinity : idleMs;
    this.receivedMs = nowMs;
    this.sentMs = nowMs;
  }

  /** When to call `check`, unless a frame arrives before. */
  get dueMs(): number {
    return Math.min(this.#pingDueMs, this.receivedMs + serverIdleTimeoutMs);
  }

  /** The nonce of the PING to send now; undefined if none is due. Throws CONNECTION_LOST after the idle timeout. */
  check(nowMs: number): number | undefined {
    if (nowMs >= this.receivedMs + serverIdleTimeoutMs) {
      throw new ClientError("CONNECTION_LOST", "the server has stopped answering");
    }
    if (nowMs < this.#pingDueMs) return undefined;
    this.#pingedMs = nowMs;
    this.#nonce = (this.#nonce + 1) >>> 0;
    return this.#nonce;
  }

  /** A third of the server's idle timeout after the last send, or of the client's after the last receive. */
  get #pingDueMs(): number {
    const due = Math.min(this.sentMs + this.#serverTimeoutMs / 3, this.receivedMs + serverIdleTimeoutMs / 3);
    // A server that answers late, or has a very short timeout, must not be flooded with PINGs.
    return Math.max(due, this.#pingedMs + Math.min(pingIntervalMs, this.#serverTimeoutMs / 3));
  }
}
