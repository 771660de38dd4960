/** The sync thread, seen from the keeper that starts it. It runs one sync at a time; others queue. */
import { canStartThread } from "../../src/base/system/descriptors.ts";
import { WavecacheError } from "../../src/base/errors.ts";
import { workerEntry } from "../../src/base/project-folder.ts";
import type { SyncAnswer } from "../sync.ts";

export class Syncer {
  #worker: Worker | undefined;
  readonly #waiting: PromiseWithResolvers<boolean>[] = [];

  /** Resolves once the folder's file system is synced; with false if the operating system has no such call, or no thread can start. */
  sync(folder: string): Promise<boolean> {
    if (this.#worker === undefined && !canStartThread()) return Promise.resolve(false);
    this.#worker ??= this.#start();
    const waiter = Promise.withResolvers<boolean>();
    this.#waiting.push(waiter);
    this.#worker.postMessage(folder);
    return waiter.promise;
  }

  close(): void {
    this.#worker?.postMessage(null);
  }

  #start(): Worker {
    const worker = new Worker(workerEntry("sync"), { name: "sync" });
    worker.addEventListener("message", (event: MessageEvent<SyncAnswer>) => {
      const waiter = this.#waiting.shift()!;
      if ("done" in event.data) waiter.resolve(event.data.done);
      else waiter.reject(new WavecacheError("STORE_FAILED", event.data.failure));
    });
    worker.addEventListener("close", () => {
      this.#worker = undefined;
      for (const waiter of this.#waiting.splice(0)) waiter.reject(new WavecacheError("WORKER_LOST", "sync"));
    });
    return worker;
  }
}
