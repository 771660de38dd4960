/** Removes the state of consumers of events that are no longer configured: nobody else would. */
import { consumerAbsenceMs, consumerUpkeepMs } from "../../../base/limits/events.ts";
import type { Log } from "../../../base/log/log.ts";
import { sharedNow } from "../../../base/system/shared-clock.ts";
import type { DeliveryKeeper } from "./delivery-run.ts";

export class ConsumerUpkeep {
  readonly #keeper: DeliveryKeeper;
  /** All that are configured, by the names that the catalog knows them by. */
  readonly #consumers: () => string[];
  readonly #log: Log;
  #timer: Timer | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(keeper: DeliveryKeeper, consumers: () => string[], log: Log) {
    this.#keeper = keeper;
    this.#consumers = consumers;
    this.#log = log;
  }

  /** Call it once the consumers are open. */
  open(): void {
    this.#running = this.#run();
    this.#timer = setInterval(() => {
      this.#running = this.#run();
    }, consumerUpkeepMs);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      const args = { consumers: this.#consumers(), at: sharedNow(), absenceMs: consumerAbsenceMs };
      await this.#keeper.call("keepConsumers", args);
    } catch (error) {
      this.#log.warn("the state of former consumers of events could not be removed", { error });
    }
  }
}
