/** The metric families of what nodes share over NATS. They have no values on a single machine. */
import type { Family, Values } from "./families.ts";
import type { BusFigures, Sources } from "./sources.ts";

export function clusterFamilies({ bus, recordings, nodeTasks, streams }: Sources): Family[] {
  const figures = (values: (of: BusFigures) => Values) => () =>
    bus === undefined ? [] : values(bus.figures);
  return [
    {
      type: "gauge",
      name: "wavecache_nats_connected",
      help: "Whether NATS is connected, 0 or 1.",
      labels: [],
      values: figures(({ isConnected }) => (isConnected ? 1 : 0)),
    },
    {
      type: "counter",
      name: "wavecache_nats_connections_total",
      help: "Connections to NATS since the start.",
      labels: [],
      values: figures(({ connects }) => connects),
    },
    {
      type: "counter",
      name: "wavecache_nats_messages_total",
      help: "Messages to and from other nodes: sent, received, dropped (not sent).",
      labels: ["result"],
      values: figures(({ sent, received, dropped }) => byResult({ sent, received, dropped })),
    },
    {
      type: "counter",
      name: "wavecache_nats_bytes_total",
      help: "Bytes of messages to and from other nodes.",
      labels: ["result"],
      values: figures(({ sentBytes: sent, receivedBytes: received }) => byResult({ sent, received })),
    },
    {
      type: "gauge",
      name: "wavecache_remote_recordings",
      help: "Recordings of other nodes that are listened to here.",
      values: () => recordings.figures().remote,
    },
    {
      type: "gauge",
      name: "wavecache_followed_uploads",
      help: "Uploads of other nodes that are read here.",
      values: () => streams.following,
    },
    {
      type: "gauge",
      name: "wavecache_shared_recordings",
      help: "Recordings of this node that other nodes listen to.",
      values: () => recordings.figures().shared,
    },
    {
      type: "counter",
      name: "wavecache_node_tasks_total",
      help: "Removals and changes of tags by other nodes that this one has carried out on its disk.",
      values: () => nodeTasks.done,
    },
  ];
}

function byResult(counts: Record<string, number>): Values {
  return Object.entries(counts).map(([result, count]) => [{ result }, count]);
}
