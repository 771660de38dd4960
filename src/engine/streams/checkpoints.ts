/**
 * Uploads that want their audio durable while they go on, a round at a time: whoever asks while a round is at the disk
 * has its turn in the next, together with all others, so that many uploads do not mean many syncs.
 */
import { errorOfNumber } from "../../base/errors.ts";
import type { CheckpointItem, CheckpointOutcome } from "../../store/streams/checkpoint.ts";

interface Waiter extends PromiseWithResolvers<void> {
  item: CheckpointItem;
}

export class Checkpoints {
  readonly #force: (items: CheckpointItem[]) => Promise<CheckpointOutcome[]>;
  #waiting: Waiter[] = [];
  #running = false;

  /** `force` makes items durable, and says of each in its place what became of it. */
  constructor(force: (items: CheckpointItem[]) => Promise<CheckpointOutcome[]>) {
    this.#force = force;
  }

  /** Resolves once this much of the upload is durable. */
  add(item: CheckpointItem): Promise<void> {
    const waiter = { ...Promise.withResolvers<void>(), item };
    this.#waiting.push(waiter);
    if (!this.#running) void this.#run();
    return waiter.promise;
  }

  async #run(): Promise<void> {
    this.#running = true;
    // Those who ask in the same turn go together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const round = this.#waiting;
      this.#waiting = [];
      await this.#runRound(round);
    }
    this.#running = false;
  }

  async #runRound(round: Waiter[]): Promise<void> {
    try {
      const outcomes = await this.#force(round.map(({ item }) => item));
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
