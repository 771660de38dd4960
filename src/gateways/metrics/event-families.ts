/** The metric families of events and of their delivery. */
import type { Family } from "./families.ts";
import type { Sources } from "./sources.ts";

export function eventFamilies({ events, hooks }: Sources): Family[] {
  return [
    {
      type: "counter",
      name: "wavecache_events_dropped_total",
      help: "Events that the catalog did not take in time.",
      values: () => events.dropped,
    },
    {
      type: "counter",
      name: "wavecache_hook_deliveries_total",
      help: "Deliveries to webhooks: delivered, failed (and tried again), dead (given up), missed (removed before).",
      labels: ["hook", "result"],
      values: () =>
        hooks.list().flatMap(({ name: hook, delivered, failed, dead, missed }) => {
          const results = Object.entries({ delivered, failed, dead, missed });
          return results.map(([result, count]): [Record<string, string>, number] => [
            { hook, result },
            count,
          ]);
        }),
    },
    {
      type: "gauge",
      name: "wavecache_hook_pending_events",
      help: "Events that were read for a webhook and not delivered yet.",
      labels: ["hook"],
      values: () => hooks.list().map(({ name: hook, pending }) => [{ hook }, pending]),
    },
  ];
}
