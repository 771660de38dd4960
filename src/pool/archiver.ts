/**
 * The archiver thread, seen from the main thread: calls return promises. If it dies, its calls fail with WORKER_LOST, and
 * it is started again.
 */
import { type ErrorCode, errorOfNumber, WavecacheError } from "../base/errors.ts";
import type {
  ArchiverCall,
  ArchiverCalls,
  ArchiverError,
  ArchiverReply,
  ArchiverRequest,
  ArchiverStart,
} from "../store/archive/archiver-calls.ts";
import type { ItemRef } from "../store/archive/catalog.ts";
import type { JobFigures } from "../lane/thread-stats.ts";
import { PendingCalls } from "./pending-calls.ts";
import { RestartBackoff } from "./restart-backoff.ts";
import { startWorker } from "./start-worker.ts";

export interface ArchiverSettings extends ArchiverStart {
  entry: URL;
  onLost: (reason: string) => void;
}

/** An error of the table; `retryAfterMs` is what the object store asks for. */
export class ArchiverCallError extends WavecacheError {
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, detail: string | undefined, retryAfterMs?: number) {
    super(code, detail);
    this.retryAfterMs = retryAfterMs;
  }
}

/** A thread that does not end by itself is terminated this long after `close`. */
const maxCloseMs = 2_000;

export class Archiver {
  /** Answers of the object store by operation and status. */
  readonly answers = new Map<string, number>();
  readonly #settings: ArchiverSettings;
  readonly #backoff: RestartBackoff;
  readonly #pending = new PendingCalls<ArchiverCall>();
  #worker: Worker;
  #ended: Promise<void> = Promise.resolve();
  #isClosing = false;
  #onBegun: (item: ItemRef, uploadId: string | null) => void = () => {};

  constructor(settings: ArchiverSettings) {
    this.#settings = settings;
    this.#worker = this.#start(false);
    this.#backoff = new RestartBackoff(() => {
      this.#worker = this.#start(true);
    });
  }

  /** Rejects with an `ArchiverCallError`. */
  call<C extends ArchiverCall>(call: C, args: ArchiverCalls[C][0]): Promise<ArchiverCalls[C][1]> {
    if (this.#isClosing) return Promise.reject(new ArchiverCallError("SHUTTING_DOWN", undefined));
    if (this.#backoff.isPending)
      return Promise.reject(new ArchiverCallError("WORKER_LOST", "it starts again"));
    return this.#pending.open(call, (serial) => this.#send({ serial, call, args }));
  }

  /** Calls this when an upload in parts was begun, so that the catalog knows it. */
  watchUploads(onBegun: (item: ItemRef, uploadId: string | null) => void): void {
    this.#onBegun = onBegun;
  }

  get restarts(): number {
    return this.#backoff.restarts;
  }

  /** Calls without an answer yet. */
  get waiting(): number {
    return this.#pending.size;
  }

  /** By the names of the calls, timed from call to answer. */
  jobs(): JobFigures[] {
    return this.#pending.jobs();
  }

  /** Calls in progress fail: what was to be stored stays in the queue. */
  async close(): Promise<void> {
    if (this.#backoff.isPending) return this.#backoff.cancel();
    this.#isClosing = true;
    this.#send("close");
    const timer = setTimeout(() => this.#worker.terminate(), maxCloseMs);
    await this.#ended;
    clearTimeout(timer);
  }

  #start(isReplacement: boolean): Worker {
    const { entry, cacheDir, recordingsDir, bucket } = this.#settings;
    const { promise, resolve } = Promise.withResolvers<void>();
    const worker = startWorker({ entry, name: "archiver", isReplacement }, (reason) => {
      this.#lose(reason);
      resolve();
    });
    worker.addEventListener("message", ({ data }: MessageEvent<ArchiverReply>) => this.#receive(data));
    this.#ended = promise;
    worker.postMessage({ start: { cacheDir, recordingsDir, bucket } } satisfies ArchiverRequest);
    return worker;
  }

  #send(request: ArchiverRequest): void {
    this.#worker.postMessage(request);
  }

  #receive(reply: ArchiverReply): void {
    if ("operation" in reply) {
      const name = `${reply.operation} ${reply.status}`;
      this.answers.set(name, (this.answers.get(name) ?? 0) + 1);
    } else if ("begun" in reply) this.#onBegun(reply.begun, reply.uploadId);
    else this.#settle(reply);
  }

  #settle(reply: Extract<ArchiverReply, { serial: number }>): void {
    const pending = this.#pending.close(reply.serial);
    if ("result" in reply) pending?.resolve(reply.result as never);
    else pending?.reject(toCallError(reply.error));
  }

  #lose(reason: string): void {
    const code = this.#isClosing ? "SHUTTING_DOWN" : "WORKER_LOST";
    this.#pending.failAll(new ArchiverCallError(code, reason));
    if (this.#isClosing) return;
    this.#settings.onLost(reason);
    this.#backoff.schedule();
  }
}

function toCallError({ number, detail, retryAfterMs }: ArchiverError): ArchiverCallError {
  const { code } = errorOfNumber(number);
  return new ArchiverCallError(code, detail || undefined, retryAfterMs);
}
