/** The keeper's part in events: the calls of the outbox, and announcements of what is committed. */
import { eventAnnounceMs } from "../../base/limits/events.ts";
import type { KeeperArgs, KeeperResult } from "../keeper-calls.ts";
import type { Catalog } from "../streams/catalog.ts";
import type { ClaimCatalog } from "./claims.ts";
import type { DeliveryCatalog } from "./deliveries.ts";
import type { EventOutbox } from "./outbox.ts";

export class OutboxKeeper {
  readonly #outbox: EventOutbox;
  readonly #deliveries: DeliveryCatalog;
  readonly #claims: ClaimCatalog;
  readonly #announce: (newest: number) => void;
  #timer: Timer | undefined;

  /**
   * `announce` gets the id of the newest event, at an interval: many events make one message. No transaction is open when
   * the timer runs, as none awaits anything.
   */
  constructor(
    { events: outbox, deliveries, claims }: Pick<Catalog, "events" | "deliveries" | "claims">,
    announce: (newest: number) => void,
  ) {
    this.#outbox = outbox;
    this.#deliveries = deliveries;
    this.#claims = claims;
    this.#announce = announce;
    outbox.watch(() => {
      this.#timer ??= setTimeout(() => this.#run(), eventAnnounceMs);
    });
  }

  append({ events }: KeeperArgs<"appendEvents">): null {
    for (const event of events) this.#outbox.append(event);
    return null;
  }

  after({ id, limit }: KeeperArgs<"eventsAfter">): KeeperResult<"eventsAfter"> {
    return { events: this.#outbox.after(id, limit), ...this.#outbox.range() };
  }

  beforeNewest({ count }: KeeperArgs<"eventBeforeNewest">): number {
    return this.#outbox.beforeNewest(count);
  }

  prune({ at, ...limits }: KeeperArgs<"pruneEvents">): number {
    return this.#outbox.prune(limits, at);
  }

  claimConsumers({ wishes }: KeeperArgs<"claimConsumers">): KeeperResult<"claimConsumers"> {
    return this.#claims.claim(wishes, this.#outbox.range().newest);
  }

  releaseConsumer({ consumer, epoch }: KeeperArgs<"releaseConsumer">): null {
    this.#claims.release(consumer, epoch);
    return null;
  }

  waitingDeliveries({ consumer, limit }: KeeperArgs<"waitingDeliveries">): KeeperResult<"waitingDeliveries"> {
    return this.#deliveries.rows(consumer, false, limit);
  }

  saveDeliveries({ maxDead, ...changes }: KeeperArgs<"saveDeliveries">): boolean {
    return this.#deliveries.save(changes, maxDead);
  }

  reviveDeliveries({ consumer, id }: KeeperArgs<"reviveDeliveries">): number {
    return this.#deliveries.revive(consumer, id);
  }

  keepConsumers({ consumers, at, absenceMs }: KeeperArgs<"keepConsumers">): null {
    this.#deliveries.keepConsumers(consumers, at, at - absenceMs);
    return null;
  }

  deadDeliveries({ consumer, limit }: KeeperArgs<"deadDeliveries">): KeeperResult<"deadDeliveries"> {
    return this.#deliveries.rows(consumer, true, limit);
  }

  /** Call it before the catalog is closed. */
  close(): void {
    this.#outbox.watch(() => {});
    clearTimeout(this.#timer);
  }

  #run(): void {
    this.#timer = undefined;
    try {
      this.#announce(this.#outbox.range().newest);
    } catch {
      // The catalog has failed, which its calls report. An error here would end the thread, which must save it first.
    }
  }
}
