/**
 * Works off what other nodes leave to this one when they change what they share (store/nodes/tasks.ts): at the start, and
 * whenever the keeper says that there are tasks. What fails is tried again at the next look of the keeper.
 */
import { nodeTaskPage } from "../../base/limits/nodes.ts";
import type { Log } from "../../base/log/log.ts";
import { RateLimitedLog } from "../../base/log/rate-limited-log.ts";
import type { KeeperClient } from "../../pool/keeper-client.ts";
import type { Streams } from "../streams/streams.ts";

export interface TaskBase {
  keeper: Pick<KeeperClient, "call" | "watchChanges">;
  streams: Pick<Streams, "changedElsewhere">;
  /** The folder of recordings. */
  folder: string;
}

export class NodeTasks {
  /** Since the start. */
  done = 0;
  readonly #base: TaskBase;
  readonly #failures: RateLimitedLog;
  #running: Promise<void> | undefined;
  #isAsked = false;
  #isOpen = false;

  constructor(base: TaskBase, log: Log) {
    this.#base = base;
    this.#failures = new RateLimitedLog(log);
    base.keeper.watchChanges("tasks", () => this.#wake());
  }

  /** The parts must be open. */
  open(): void {
    this.#isOpen = true;
    this.#wake();
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    await this.#running;
  }

  #wake(): void {
    if (!this.#isOpen) return;
    this.#isAsked = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  async #run(): Promise<void> {
    while (this.#isAsked && this.#isOpen) {
      this.#isAsked = false;
      await this.#try(() => this.#workOffStreams());
      await this.#try(() => this.#workOffRecordings());
    }
  }

  async #try(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#failures.warn("what another node has removed could not be removed here yet", { error });
    }
  }

  async #workOffStreams(): Promise<void> {
    const { keeper, streams } = this.#base;
    for (let isLast = false; !isLast && this.#isOpen;) {
      const worked = await keeper.call("streamTasks", { limit: nodeTaskPage });
      isLast = worked.isLast;
      if (worked.streamIds.length === 0) continue;
      this.done += worked.streamIds.length;
      await streams.changedElsewhere(worked);
    }
  }

  async #workOffRecordings(): Promise<void> {
    const { keeper, folder } = this.#base;
    for (let isLast = false; !isLast && this.#isOpen;) {
      const worked = await keeper.call("recordingTasks", { folder, limit: nodeTaskPage });
      isLast = worked.isLast;
      this.done += worked.removed;
    }
  }
}
