/**
 * Finds devices that are gone without a close, such as after a loss of power: pings a device that sends nothing, and
 * gives up if no answer comes. It counts checks instead of reading a clock, so the time while the server itself is
 * suspended does not count.
 */
import { ingestAnswerTimeoutMs, ingestCheckMs, ingestIdleMs } from "../../base/limits/recordings.ts";

const idleChecks = Math.ceil(ingestIdleMs / ingestCheckMs);
const timeoutChecks = idleChecks + Math.ceil(ingestAnswerTimeoutMs / ingestCheckMs);

export class Keepalive {
  #checks = 0;

  /** Anything has arrived: a message, a ping or a pong. */
  received(): void {
    this.#checks = 0;
  }

  /** Call it every `ingestCheckMs`. */
  check(): "ping" | "close" | undefined {
    // The first check follows within one interval, so it does not count as a whole one.
    const wholeChecks = this.#checks++;
    if (wholeChecks === idleChecks) return "ping";
    return wholeChecks >= timeoutChecks ? "close" : undefined;
  }
}
