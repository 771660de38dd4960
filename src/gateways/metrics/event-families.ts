/** The metric families of events and of their delivery. Those of MQTT have no values without a broker. */
import type { Family } from "./families.ts";
import type { Sources } from "./sources.ts";

export function eventFamilies(sources: Sources): Family[] {
  return [...hookFamilies(sources), ...mqttFamilies(sources)];
}

function hookFamilies({ events, claims, hooks }: Sources): Family[] {
  return [
    {
      type: "counter",
      name: "wavecache_events_dropped_total",
      help: "Events that the catalog did not take in time.",
      values: () => events.dropped,
    },
    {
      type: "gauge",
      name: "wavecache_event_consumer_owned",
      help: "Whether this node delivers events to the consumer, 0 or 1. One of the nodes with the same catalog does.",
      labels: ["consumer"],
      values: () => claims.owned().map(({ consumer, isOwn }) => [{ consumer }, isOwn ? 1 : 0]),
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

function mqttFamilies({ mqtt }: Sources): Family[] {
  const figures = () => (mqtt === undefined ? [] : [mqtt.figures]);
  return [
    {
      type: "gauge",
      name: "wavecache_mqtt_connected",
      help: "Whether the MQTT broker is connected, 0 or 1.",
      labels: [],
      values: () => figures().map(({ isConnected }) => [{}, isConnected ? 1 : 0]),
    },
    {
      type: "counter",
      name: "wavecache_mqtt_connections_total",
      help: "Connections to the MQTT broker since the start.",
      labels: [],
      values: () => figures().map(({ connects }) => [{}, connects]),
    },
    {
      type: "counter",
      name: "wavecache_mqtt_deliveries_total",
      help: "Events for the MQTT broker: delivered, failed (and tried again), dead (given up), missed (removed before).",
      labels: ["result"],
      values: () =>
        figures().flatMap(({ delivered, failed, dead, missed }) => {
          const results = Object.entries({ delivered, failed, dead, missed });
          return results.map(([result, count]): [Record<string, string>, number] => [{ result }, count]);
        }),
    },
    {
      type: "gauge",
      name: "wavecache_mqtt_pending_events",
      help: "Events that were read for the MQTT broker and not delivered yet.",
      labels: [],
      values: () => figures().map(({ pending }) => [{}, pending]),
    },
  ];
}
