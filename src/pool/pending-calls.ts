/** Calls to a thread that have no answer yet, and how long the answered ones took. */
import type { JobFigures } from "../lane/thread-stats.ts";

interface PendingCall<C> {
  call: C;
  /** Of the monotonic clock. */
  calledAtMs: number;
  resolve(result: never): void;
  reject(error: Error): void;
}

export class PendingCalls<C extends string> {
  readonly #answered = new Map<C, { count: number; ms: number }>();
  #pending = new Map<number, PendingCall<C>>();
  #nextSerial = 1;

  get size(): number {
    return this.#pending.size;
  }

  /** Sends a call with its serial. Resolves or rejects with its answer. */
  open<R>(call: C, send: (serial: number) => void): Promise<R> {
    const serial = this.#nextSerial++;
    return new Promise((resolve, reject) => {
      this.#pending.set(serial, { call, calledAtMs: performance.now(), resolve, reject });
      send(serial);
    });
  }

  /** The call of an answer, which is pending no longer; undefined for one that was failed before. */
  close(serial: number): Pick<PendingCall<C>, "resolve" | "reject"> | undefined {
    const pending = this.#pending.get(serial);
    if (pending === undefined) return undefined;
    this.#pending.delete(serial);
    this.#count(pending);
    return pending;
  }

  /** The thread is gone: without an answer the calls would wait for good. */
  failAll(error: Error): void {
    const orphans = this.#pending;
    this.#pending = new Map();
    for (const { reject } of orphans.values()) reject(error);
  }

  /** By the names of the calls, timed from call to answer. */
  jobs(): JobFigures[] {
    return [...this.#answered].map(([job, { count, ms }]) => ({ job, count, seconds: ms / 1000 }));
  }

  #count({ call, calledAtMs }: PendingCall<C>): void {
    const figures = this.#answered.get(call) ?? { count: 0, ms: 0 };
    this.#answered.set(call, figures);
    figures.count += 1;
    figures.ms += performance.now() - calledAtMs;
  }
}
