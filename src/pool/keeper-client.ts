/** The keeper thread, seen from the main thread: calls return promises. */
import { errorOfNumber, WavecacheError } from "../base/errors.ts";
import type { JobFigures } from "../lane/thread-stats.ts";
import type {
  KeeperArgs,
  KeeperCall,
  KeeperChange,
  KeeperClock,
  KeeperCondition,
  KeeperEvents,
  KeeperListener,
  KeeperNotice,
  KeeperReply,
  KeeperRequest,
  KeeperResult,
} from "../store/keeper-calls.ts";
import { PendingCalls } from "./pending-calls.ts";
import { RestartBackoff } from "./restart-backoff.ts";
import { startWorker } from "./start-worker.ts";

export interface KeeperSettings {
  entry: URL;
  onLost: (reason: string) => void;
}

type KeeperMessage = KeeperReply | KeeperNotice | KeeperCondition | KeeperEvents | KeeperChange | KeeperClock;

export class KeeperClient {
  readonly #settings: KeeperSettings;
  readonly #backoff: RestartBackoff;
  #worker: Worker;
  readonly #pending = new PendingCalls<KeeperCall>();
  #isClosing = false;
  #openArgs: KeeperArgs<"open"> | undefined;
  #listener: KeeperListener | undefined;
  #onEvents: (newest: number) => void = () => {};
  #onClock: (aheadMs: number) => void = () => {};
  readonly #onChanged: { [What in KeeperChange["changed"]]?: () => void } = {};

  constructor(settings: KeeperSettings) {
    this.#settings = settings;
    this.#worker = this.#start(false);
    this.#backoff = new RestartBackoff(() => this.#reopen());
  }

  /** Rejects with an error of the table. */
  call<C extends KeeperCall>(call: C, args: KeeperArgs<C>): Promise<KeeperResult<C>> {
    if (this.#backoff.isPending) return Promise.reject(new WavecacheError("WORKER_LOST"));
    return this.#pending.open(call, (serial) => {
      this.#worker.postMessage({ serial, call, args } satisfies KeeperRequest<C>);
    });
  }

  /** The first call: opens the store. `listener` hears what the keeper tells of its own accord. */
  open(args: KeeperArgs<"open">, listener: KeeperListener): Promise<KeeperResult<"open">> {
    this.#openArgs = args;
    this.#listener = listener;
    return this.call("open", args);
  }

  /** Calls this after events were committed, with the id of the newest one. */
  watchEvents(onEvents: (newest: number) => void): void {
    this.#onEvents = onEvents;
  }

  /** Calls this with how much the clock of this machine is ahead of that of a shared catalog. */
  watchClock(onClock: (aheadMs: number) => void): void {
    this.#onClock = onClock;
  }

  /** Calls this after such a change in a catalog that nodes share. */
  watchChanges(what: KeeperChange["changed"], onChanged: () => void): void {
    this.#onChanged[what] = onChanged;
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

  /** Waits for running commits, closes the catalog and ends the thread. Rejects with WORKER_LOST if it dies meanwhile. */
  async close(): Promise<void> {
    if (this.#backoff.isPending) return this.#backoff.cancel();
    this.#isClosing = true;
    await this.call("close", null);
  }

  #start(isReplacement: boolean): Worker {
    const settings = { entry: this.#settings.entry, name: "keeper", isReplacement };
    const worker = startWorker(settings, (reason) => this.#onEnd(reason));
    worker.addEventListener("message", ({ data }: MessageEvent<KeeperMessage>) => {
      if ("notice" in data) this.#listener?.notified(data.notice);
      else if ("newestEvent" in data) this.#onEvents(data.newestEvent);
      else if ("clockAheadMs" in data) this.#onClock(data.clockAheadMs);
      else if ("changed" in data) this.#onChanged[data.changed]?.();
      else if ("condition" in data) this.#listener?.conditionChanged(data.condition);
      else this.#settle(data);
    });
    return worker;
  }

  #settle(reply: KeeperReply): void {
    const pending = this.#pending.close(reply.serial);
    if (reply.errorNumber === 0) pending?.resolve(reply.result as never);
    else pending?.reject(errorOfNumber(reply.errorNumber, reply.detail || undefined));
  }

  /** Without an answer the calls would wait for good, and so would `close`. */
  #onEnd(reason: string): void {
    // First: the calls of the next keeper must not fail with them.
    this.#pending.failAll(new WavecacheError("WORKER_LOST", reason));
    if (!this.#isClosing) {
      this.#settings.onLost(reason);
      this.#listener?.conditionChanged({ code: "KEEPER_LOST", detail: reason });
      this.#backoff.schedule();
    }
  }

  /** The new keeper repairs what the dead one left unfinished. */
  #reopen(): void {
    this.#worker = this.#start(true);
    if (this.#openArgs === undefined) return;
    this.call("open", { ...this.#openArgs, isReopened: true, at: Date.now() }).then(
      () => this.#listener?.conditionChanged({ code: "KEEPER_LOST", detail: null }),
      (error: WavecacheError) =>
        this.#settings.onLost(`keeper cannot open the store again: ${error.message}`),
    );
  }
}
