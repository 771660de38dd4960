/** Events that wait for an acknowledgement. The server acknowledges them in order, without naming them. */
import { ClientError } from "../errors.ts";
import { maxWaitingAcks } from "../limits.ts";

interface PendingAck {
  /** The event, for error messages. */
  event: string;
  sentMs: number;
  timer: Timer;
  resolve: (ms: number) => void;
  reject: (error: ClientError) => void;
}

export class AckQueue {
  readonly #timeoutMs: number;
  readonly #pending: PendingAck[] = [];

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Adds an event that has been sent. Resolves with the milliseconds until it is acknowledged. Throws BUSY if too many
   * events wait, REFUSED, or ANSWER_TIMEOUT. The next acknowledgement then belongs to the next event, because some
   * servers ignore events that they do not know.
   */
  add(event: string): Promise<number> {
    if (this.#pending.length >= maxWaitingAcks) {
      return Promise.reject(new ClientError("BUSY", `${maxWaitingAcks} events are not acknowledged yet`));
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.splice(this.#pending.indexOf(pending), 1);
        reject(new ClientError("ANSWER_TIMEOUT", `${event} is not acknowledged`));
      }, this.#timeoutMs);
      const pending = { event, sentMs: performance.now(), timer, resolve, reject };
      this.#pending.push(pending);
    });
  }

  /** Settles the oldest event. An acknowledgement without a pending event is late, and is ignored. */
  settle(ack: boolean): void {
    const pending = this.#pending.shift();
    if (pending === undefined) return;
    clearTimeout(pending.timer);
    if (ack) pending.resolve(performance.now() - pending.sentMs);
    else pending.reject(new ClientError("REFUSED", `${pending.event} is not accepted`));
  }

  /** Rejects all pending events. */
  fail(error: ClientError): void {
    for (const { timer, reject } of this.#pending.splice(0)) {
      clearTimeout(timer);
      reject(error);
    }
  }
}
