/** When to ask a silent server whether it is still there, and when to believe that it is not. */
import { ClientError } from "../../errors.ts";
import { pingIntervalMs, serverIdleTimeoutMs } from "../../limits.ts";

/** All times are those of one clock, in milliseconds. */
export class Keepalive {
  receivedMs: number;
  sentMs: number;
  readonly #idleMs: number;
  #pingedMs = -Infinity;
  #nonce = 0;

  /** `idleMs` is the silence after which the server gives the client up; 0 for never. */
  constructor(idleMs: number, nowMs: number) {
    this.#idleMs = idleMs === 0 ? Infinity : idleMs;
    this.receivedMs = nowMs;
    this.sentMs = nowMs;
  }

  /** When to check, even if nothing comes. */
  get dueMs(): number {
    return Math.min(this.#pingDueMs, this.receivedMs + serverIdleTimeoutMs);
  }

  /** The nonce of the PING to send now, if any; throws CONNECTION_LOST when it has been silent for too long. */
  check(nowMs: number): number | undefined {
    if (nowMs >= this.receivedMs + serverIdleTimeoutMs) {
      throw new ClientError("CONNECTION_LOST", "the server has fallen silent");
    }
    if (nowMs < this.#pingDueMs) return undefined;
    this.#pingedMs = nowMs;
    this.#nonce = (this.#nonce + 1) >>> 0;
    return this.#nonce;
  }

  /** A third of either side's patience: before the server takes us for gone, and to hear from it in time. */
  get #pingDueMs(): number {
    const due = Math.min(this.sentMs + this.#idleMs / 3, this.receivedMs + serverIdleTimeoutMs / 3);
    // The server may answer late; and a short patience of its own must not make this a flood.
    return Math.max(due, this.#pingedMs + Math.min(pingIntervalMs, this.#idleMs / 3));
  }
}
