/** What waits for its acknowledgement: the server answers in the order of the events, without saying which it means. */
import { ClientError } from "../errors.ts";
import { maxWaitingAcks } from "../limits.ts";

interface Waiting {
  what: string;
  sentMs: number;
  timer: Timer;
  resolve: (ms: number) => void;
  reject: (error: ClientError) => void;
}

export class AckQueue {
  readonly #timeoutMs: number;
  readonly #waiting: Waiting[] = [];

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Resolves with the milliseconds until the next acknowledgement that no earlier event has taken. Rejects with
   * ANSWER_TIMEOUT; an event that was given up takes none any more, because some servers pass over what they do not know.
   */
  next(what: string): Promise<number> {
    if (this.#waiting.length >= maxWaitingAcks) {
      return Promise.reject(new ClientError("BUSY", `${maxWaitingAcks} events are not acknowledged yet`));
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(new ClientError("ANSWER_TIMEOUT", `${what} is not acknowledged`));
      }, this.#timeoutMs);
      const waiting = { what, sentMs: performance.now(), timer, resolve, reject };
      this.#waiting.push(waiting);
    });
  }

  /** An acknowledgement has come; one that nobody waits for is late and means nothing. */
  settle(ack: boolean): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) return;
    clearTimeout(waiting.timer);
    if (ack) waiting.resolve(performance.now() - waiting.sentMs);
    else waiting.reject(new ClientError("REFUSED", `${waiting.what} is not accepted`));
  }

  fail(error: ClientError): void {
    for (const { timer, reject } of this.#waiting.splice(0)) {
      clearTimeout(timer);
      reject(error);
    }
  }
}
