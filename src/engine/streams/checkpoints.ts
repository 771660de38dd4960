/**
 * Group commit for checkpoints: uploads that ask while a round is being synced share the next round, so that many
 * uploads do not mean many syncs.
 */
import { errorOfNumber } from "../../base/errors.ts";
import type { CheckpointItem, CheckpointOutcome } from "../../store/streams/checkpoint.ts";

interface Waiter extends PromiseWithResolvers<void> {
  item: CheckpointItem;
}

export class Checkpoints {
  readonly #sync: (items: CheckpointItem[]) => Promise<CheckpointOutcome[]>;
  #waiting: Waiter[] = [];
  #isRunning = false;

  /** `sync` makes items durable; its outcomes are in the order of the items. */
  constructor(sync: (items: CheckpointItem[]) => Promise<CheckpointOutcome[]>) {
    this.#sync = sync;
  }

  /** Resolves once this part of the upload is durable. */
  add(item: CheckpointItem): Promise<void> {
    const waiter = { ...Promise.withResolvers<void>(), item };
    this.#waiting.push(waiter);
    if (!this.#isRunning) void this.#run();
    return waiter.promise;
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    // Uploads that ask in the same turn of the event loop share a round.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const round = this.#waiting;
      this.#waiting = [];
      await this.#runRound(round);
    }
    this.#isRunning = false;
  }

  async #runRound(round: Waiter[]): Promise<void> {
    try {
      const outcomes = await this.#sync(round.map(({ item }) => item));
      round.forEach((waiter, index) => {
        const failure = outcomes[index];
        if (failure) waiter.reject(errorOfNumber(failure.errorNumber, failure.detail));
        else waiter.resolve();
      });
    } catch (error) {
      for (const waiter of round) waiter.reject(error);
    }
  }
}
