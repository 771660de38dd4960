/** The keeper thread, seen from the main thread: calls that return promises. */
import { errorOfNumber, WavecacheError } from "../base/errors.ts";
import type { JobFigures } from "../lane/thread-stats.ts";
import type {
  KeeperArgs,
  KeeperCall,
  KeeperReply,
  KeeperRequest,
  KeeperResult,
} from "../store/keeper-calls.ts";
import { Respawn, startWorker } from "./respawn.ts";

export interface KeeperSettings {
  entry: URL;
  cacheDir: string;
  onLost: (reason: string) => void;
}

interface Waiter {
  call: KeeperCall;
  /** Of the monotonic clock, in ms. */
  calledAt: number;
  resolve(result: never): void;
  reject(error: WavecacheError): void;
}

export class KeeperLink {
  readonly #settings: KeeperSettings;
  readonly #respawn: Respawn;
  #worker: Worker;
  readonly #answered = new Map<KeeperCall, { count: number; ms: number }>();
  #waiting = new Map<number, Waiter>();
  #nextSerial = 1;
  #closing = false;

  constructor(settings: KeeperSettings) {
    this.#settings = settings;
    this.#worker = this.#spawn(false);
    this.#respawn = new Respawn(() => this.#reopen());
  }

  /** Calls the keeper; rejects with an error of the table. */
  call<C extends KeeperCall>(call: C, args: KeeperArgs<C>): Promise<KeeperResult<C>> {
    if (this.#respawn.pending) return Promise.reject(new WavecacheError("WORKER_LOST"));
    const request: KeeperRequest<C> = { serial: this.#nextSerial++, call, args };
    return new Promise((resolve, reject) => {
      this.#waiting.set(request.serial, { call, calledAt: performance.now(), resolve, reject });
      this.#worker.postMessage(request);
    });
  }

  get restarts(): number {
    return this.#respawn.restarts;
  }

  /** Calls without an answer yet. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** The calls by their names, timed from call to answer. */
  jobs(): JobFigures[] {
    return [...this.#answered].map(([job, { count, ms }]) => ({ job, count, seconds: ms / 1000 }));
  }

  /** Waits for commits under way, closes the catalog and ends the thread. */
  async close(): Promise<void> {
    if (this.#respawn.pending) return this.#respawn.cancel();
    this.#closing = true;
    await this.call("close", null);
  }

  #spawn(replacement: boolean): Worker {
    const worker = startWorker(this.#settings.entry, "keeper", replacement);
    let reason = "keeper ended";
    worker.addEventListener("message", (event: MessageEvent<KeeperReply>) => this.#take(event.data));
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      reason = `keeper threw: ${event.message}`;
    });
    worker.addEventListener("close", () => {
      if (!this.#closing) this.#lose(reason);
    });
    return worker;
  }

  #take(reply: KeeperReply): void {
    const waiter = this.#waiting.get(reply.serial);
    if (waiter === undefined) return;
    this.#waiting.delete(reply.serial);
    this.#count(waiter);
    if (reply.errorNumber === 0) waiter.resolve(reply.result as never);
    else waiter.reject(errorOfNumber(reply.errorNumber, reply.detail || undefined));
  }

  #count({ call, calledAt }: Waiter): void {
    const figures = this.#answered.get(call) ?? { count: 0, ms: 0 };
    this.#answered.set(call, figures);
    figures.count += 1;
    figures.ms += performance.now() - calledAt;
  }

  #lose(reason: string): void {
    const orphans = this.#waiting;
    this.#waiting = new Map();
    this.#settings.onLost(reason);
    this.#respawn.schedule();
    for (const waiter of orphans.values()) waiter.reject(new WavecacheError("WORKER_LOST", reason));
  }

  /** A new keeper repairs what the dead one left half-way. */
  #reopen(): void {
    this.#worker = this.#spawn(true);
    this.call("open", { cacheDir: this.#settings.cacheDir, at: Date.now() }).catch(
      (error: WavecacheError) => {
        this.#settings.onLost(`keeper cannot open the store again: ${error.message}`);
      },
    );
  }
}
