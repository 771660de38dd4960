/**
 * Tells other nodes that the catalog has changed, and looks at it at once when they say so. A message that is lost costs
 * nothing but the wait for the next look, which comes each second anyway.
 */
import { newsIntervalMs } from "../../base/limits/nodes.ts";
import type { Log } from "../../base/log/log.ts";
import type { Bus } from "../../bus/bus.ts";
import type { KeeperClient } from "../../pool/keeper-client.ts";

const subject = "changed";
const nothing = new Uint8Array(0);

export class ChangeNews {
  readonly #keeper: Pick<KeeperClient, "call">;
  readonly #log: Log;
  readonly #unsubscribe: () => void;
  /** There was news meanwhile. */
  #isAsked = false;
  #timer: Timer | undefined;

  constructor(bus: Bus, keeper: Pick<KeeperClient, "call" | "watchChanges">, log: Log) {
    this.#keeper = keeper;
    this.#log = log;
    keeper.watchChanges("shared", () => void bus.publish(subject, nothing));
    this.#unsubscribe = bus.subscribe(subject, () => this.#receive());
  }

  close(): void {
    this.#unsubscribe();
    clearTimeout(this.#timer);
  }

  /** Many changes make few looks: one at once, and the next after the interval. */
  #receive(): void {
    if (this.#timer !== undefined) {
      this.#isAsked = true;
      return;
    }
    this.#isAsked = false;
    void this.#look();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#isAsked) this.#receive();
    }, newsIntervalMs);
  }

  async #look(): Promise<void> {
    try {
      await this.#keeper.call("lookForNews", null);
    } catch (error) {
      this.#log.debug("the catalog could not be looked at", { error });
    }
  }
}
