/** A keeper that only has an outbox, in memory. */
import { WavecacheError } from "../../base/errors.ts";
import type { KeeperClient } from "../../pool/keeper-client.ts";
import type { KeeperArgs, KeeperCall, KeeperResult } from "../../store/keeper-calls.ts";
import type { NewEvent } from "../../store/events/outbox.ts";
import { SqliteCatalog } from "../../store/streams/sqlite/catalog.ts";

export class EventKeeper implements Pick<KeeperClient, "call" | "watchEvents"> {
  readonly catalog = new SqliteCatalog(":memory:");
  /** The calls so far, by name. */
  readonly calls: KeeperCall[] = [];
  /** Another node owns all consumers. */
  isOwnedElsewhere = false;
  /** What is left of the lease of this node. */
  leaseMs = Number.MAX_SAFE_INTEGER;
  /** How many of the next calls fail. */
  failures = 0;
  #onEvents: (newest: number) => void = () => {};

  watchEvents(onEvents: (newest: number) => void): void {
    this.#onEvents = onEvents;
  }

  async call<C extends KeeperCall>(call: C, args: KeeperArgs<C>): Promise<KeeperResult<C>> {
    this.calls.push(call);
    await Promise.resolve();
    if (this.failures > 0) {
      this.failures -= 1;
      throw new WavecacheError("WORKER_LOST");
    }
    return this.#answer(call, args) as KeeperResult<C>;
  }

  /** Writes events as the keeper does for its own facts, and announces them. */
  append(events: NewEvent[]): void {
    for (const event of events) this.catalog.events.append(event);
    this.announce();
  }

  announce(): void {
    this.#onEvents(this.catalog.events.range().newest);
  }

  /** Writes this many events, which are about devices. */
  appendMany(count: number): void {
    this.append(Array.from({ length: count }, (_, n) => deviceEvent(`d${n}`)));
  }

  #answer(call: KeeperCall, args: KeeperArgs<KeeperCall>): unknown {
    const { events } = this.catalog;
    switch (call) {
      case "appendEvents":
        return this.append((args as KeeperArgs<"appendEvents">).events);
      case "eventsAfter": {
        const { id, limit } = args as KeeperArgs<"eventsAfter">;
        return { events: events.after(id, limit), ...events.range() };
      }
      case "pruneEvents": {
        const { at, ...limits } = args as KeeperArgs<"pruneEvents">;
        return events.prune(limits, at);
      }
      case "claimConsumers": {
        const { wishes } = args as KeeperArgs<"claimConsumers">;
        const claims = this.catalog.claims.claim(wishes, events.range().newest);
        for (const claim of claims) claim.leaseMs = this.leaseMs;
        if (this.isOwnedElsewhere)
          for (const claim of claims) Object.assign(claim, { owner: "other", isOwn: false });
        return claims;
      }
      case "releaseConsumer": {
        const { consumer, epoch } = args as KeeperArgs<"releaseConsumer">;
        return this.catalog.claims.release(consumer, epoch);
      }
      case "waitingDeliveries": {
        const { consumer, limit } = args as KeeperArgs<"waitingDeliveries">;
        return this.catalog.deliveries.rows(consumer, false, limit);
      }
      case "reviveDeliveries": {
        const { consumer, id } = args as KeeperArgs<"reviveDeliveries">;
        return this.catalog.deliveries.revive(consumer, id);
      }
      case "saveDeliveries": {
        if (this.isOwnedElsewhere) return false;
        const { maxDead, ...changes } = args as KeeperArgs<"saveDeliveries">;
        return this.catalog.deliveries.save(changes, maxDead);
      }
      default:
        throw new Error(`no answer to ${call}`);
    }
  }
}

export function deviceEvent(deviceId: string): NewEvent<"device.connected"> {
  return { type: "device.connected", subject: `devices/${deviceId}`, at: Date.now(), data: { deviceId } };
}
