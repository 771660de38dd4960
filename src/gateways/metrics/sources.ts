/** What the metrics read. The server keeps these figures anyway: a scrape only reads them. */
import type { LogOutput } from "../../base/log/log-output.ts";
import type { Tracer } from "../../base/tracing/tracer.ts";
import type { GatewayMeters } from "../../base/gateway-meter.ts";
import type { Archive } from "../../engine/archive/archive.ts";
import type { Devices } from "../../engine/devices/devices.ts";
import type { Retention } from "../../engine/retention/retention.ts";
import type { ConsumerClaims } from "../../engine/events/delivery/consumer-claims.ts";
import type { Hooks } from "../../engine/events/delivery/hooks.ts";
import type { EventLog } from "../../engine/events/event-log.ts";
import type { AudioPeaks } from "../../engine/peaks/audio-peaks.ts";
import type { Recordings } from "../../engine/recordings/recordings.ts";
import type { Sounds } from "../../engine/sounds/sounds.ts";
import type { Streams } from "../../engine/streams/streams.ts";
import type { ConnectionLimit } from "../../listen/connections/connection-limit.ts";
import type { Archiver } from "../../pool/archiver.ts";
import type { KeeperClient } from "../../pool/keeper-client.ts";
import type { ThreadFigures } from "../../pool/supervised-thread.ts";
import type { Readers } from "../../pool/readers.ts";
import type { Writers } from "../../pool/writers.ts";

/** The connection to an MQTT broker, and the deliveries of events to it. */
export interface MqttFigures {
  isConnected: boolean;
  connects: number;
  delivered: number;
  failed: number;
  dead: number;
  missed: number;
  pending: number;
}

/** The messages to and from other nodes. */
export interface BusFigures {
  isConnected: boolean;
  connects: number;
  sent: number;
  sentBytes: number;
  received: number;
  receivedBytes: number;
  dropped: number;
}

export type ArchiveFigures = Pick<
  Archive,
  "availability" | "eviction" | "fetched" | "pace" | "parts" | "queue" | "restores" | "totals"
>;

/** One ring of a thread. A thread that restarts gets new ring objects. */
export type LaneRing = ThreadFigures["rings"][number];

/** A thread that takes calls as messages. */
export interface CalledThread {
  thread: string;
  calls: Pick<KeeperClient, "jobs" | "restarts" | "waiting">;
}

export interface Sources {
  version: string;
  logOutput: Pick<LogOutput, "droppedLines">;
  tracer: Pick<Tracer, "figures">;
  meters: Pick<GatewayMeters, "all">;
  reloads: { readonly succeeded: number; readonly failed: number; readonly hasFailedLast: boolean };
  /** Of all TCP ports together. */
  connections: { limit: Pick<ConnectionLimit, "open" | "max"> };
  streams: Pick<Streams, "figures" | "following" | "outbound" | "check" | "reclaimed" | "damage" | "scrub">;
  recordings: Pick<Recordings, "figures">;
  peaks: Pick<AudioPeaks, "jobs">;
  retention: Pick<Retention, "removed" | "disks">;
  devices: Pick<Devices, "connected" | "playing">;
  events: Pick<EventLog, "dropped">;
  claims: Pick<ConsumerClaims, "owned">;
  hooks: Pick<Hooks, "list">;
  /** Undefined without a broker. */
  mqtt: { figures: MqttFigures } | undefined;
  /** Undefined on a single machine. */
  bus: { figures: BusFigures } | undefined;
  nodeTasks: { readonly done: number };
  /** Undefined without an archive. */
  archive: ArchiveFigures | undefined;
  archiver: Pick<Archiver, "answers"> | undefined;
  sounds: Pick<Sounds, "count" | "bytes" | "encoded" | "loaded">;
  writers: Pick<Writers, "figures" | "slots">;
  readers: Pick<Readers, "figures">;
  called: CalledThread[];
}
