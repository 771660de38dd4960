/** What `top` shows, from two snapshots of a server: states of the later one, and rates between them. Pure. */
import type { ListedDevice } from "../../client/http/devices.ts";
import type { Exposition } from "../../client/http/exposition.ts";
import type { Snapshot } from "./snapshot.ts";

export interface GatewayFigures {
  name: string;
  connections: number;
  receivedPerSecond: number;
  sentPerSecond: number;
  errorsPerSecond: number;
}

export interface ThreadFigures {
  name: string;
  jobsPerSecond: number;
  /** Seconds of work in a second; of the keeper and the encoder with the time that calls wait. */
  load: number;
  /** Of the fuller ring; undefined for threads without rings. */
  ringFill: number | undefined;
  /** Undefined for threads that take no calls. */
  waitingCalls: number | undefined;
  restarts: number;
}

export interface UploadFigures {
  streamId: string;
  size: number;
  growthPerSecond: number;
}

export interface DiskFigures {
  /** What is stored there. */
  name: string;
  freeBytes: number;
  sizeBytes: number;
}

export interface TopFigures {
  version: string;
  uptimeSeconds: number;
  reasons: readonly string[];
  processors: number;
  memoryBytes: number;
  connections: number;
  maxConnections: number;
  /** Streams by state. */
  streams: { uploading: number; finishing: number; interrupted: number; finished: number };
  cacheBytes: number;
  maxCacheBytes: number;
  recordings: number;
  listeners: number;
  disks: DiskFigures[];
  gateways: GatewayFigures[];
  threads: ThreadFigures[];
  /** Undefined if the caller may not list them. */
  uploads: UploadFigures[] | undefined;
  devices: ListedDevice[] | undefined;
}

/** `nowMs`: since 1970. */
export function figuresOf(before: Snapshot, now: Snapshot, nowMs: number): TopFigures {
  const { metrics } = now;
  const seconds = Math.max(0.001, (now.atMs - before.atMs) / 1000);
  const value = (name: string, labels: Record<string, string> = {}) => metrics.sum(name, labels) ?? 0;
  const streams = metrics.by("wavecache_streams", "state");
  const stateOf = (state: string) => streams.get(state) ?? 0;
  return {
    version: metrics.samples.find(({ name }) => name === "wavecache_info")?.labels["version"] ?? "",
    uptimeSeconds: Math.max(0, nowMs / 1000 - value("process_start_time_seconds")),
    reasons: now.reasons,
    processors: rateOf(before.metrics, metrics, "process_cpu_seconds_total", seconds),
    memoryBytes: value("process_resident_memory_bytes"),
    connections: value("wavecache_tcp_connections"),
    maxConnections: value("wavecache_tcp_connections_limit"),
    streams: {
      uploading: stateOf("uploading"),
      finishing: stateOf("finishing"),
      interrupted: stateOf("interrupted"),
      finished: stateOf("finished"),
    },
    cacheBytes: value("wavecache_cache_bytes"),
    maxCacheBytes: value("wavecache_cache_limit_bytes"),
    recordings: value("wavecache_recordings"),
    listeners: value("wavecache_live_listeners"),
    disks: disksOf(metrics),
    gateways: gatewaysOf(before.metrics, metrics, seconds),
    threads: threadsOf(before.metrics, metrics, seconds),
    uploads: uploadsOf(before, now, seconds),
    devices: now.devices,
  };
}

/** A server that was started again counts from zero. */
function growth(before: number, now: number, seconds: number): number {
  return Math.max(0, now - before) / seconds;
}

function rateOf(before: Exposition, now: Exposition, name: string, seconds: number): number {
  return growth(before.sum(name) ?? 0, now.sum(name) ?? 0, seconds);
}

/** The rates of a counter by the value of one label. */
function ratesBy(before: Exposition, now: Exposition, name: string, label: string, seconds: number) {
  const earlier = before.by(name, label);
  const later = now.by(name, label);
  return (key: string) => growth(earlier.get(key) ?? 0, later.get(key) ?? 0, seconds);
}

function disksOf(metrics: Exposition): DiskFigures[] {
  const sizes = metrics.by("wavecache_disk_size_bytes", "kind");
  const free = metrics.by("wavecache_disk_free_bytes", "kind");
  return Array.from(free, ([name, freeBytes]) => ({ name, freeBytes, sizeBytes: sizes.get(name) ?? 0 }));
}

/** Those that have, or had, connections. */
function gatewaysOf(before: Exposition, now: Exposition, seconds: number): GatewayFigures[] {
  const connections = now.by("wavecache_connections", "door");
  const opened = now.by("wavecache_connections_total", "door");
  const rates = (name: string) => ratesBy(before, now, name, "door", seconds);
  const received = rates("wavecache_received_bytes_total");
  const sent = rates("wavecache_sent_bytes_total");
  const errors = rates("wavecache_errors_total");
  return [...connections.keys()]
    .filter((name) => (opened.get(name) ?? 0) > 0)
    .map((name) => ({
      name,
      connections: connections.get(name) ?? 0,
      receivedPerSecond: received(name),
      sentPerSecond: sent(name),
      errorsPerSecond: errors(name),
    }));
}

function threadsOf(before: Exposition, now: Exposition, seconds: number): ThreadFigures[] {
  const restarts = now.by("wavecache_thread_restarts_total", "thread");
  const waiting = now.by("wavecache_waiting_calls", "thread");
  const jobs = ratesBy(before, now, "wavecache_jobs_total", "thread", seconds);
  const work = ratesBy(before, now, "wavecache_job_seconds_total", "thread", seconds);
  return Array.from(restarts, ([name, count]) => ({
    name,
    jobsPerSecond: jobs(name),
    load: work(name),
    ringFill: ringFillOf(now, name),
    waitingCalls: waiting.get(name),
    restarts: count,
  }));
}

function ringFillOf(metrics: Exposition, thread: string): number | undefined {
  const fills = ["in", "out"].map((direction) => {
    const size = metrics.sum("wavecache_ring_size_bytes", { thread, direction });
    return size === undefined
      ? 0
      : (metrics.sum("wavecache_ring_used_bytes", { thread, direction }) ?? 0) / size;
  });
  return metrics.sum("wavecache_ring_size_bytes", { thread }) === undefined ? undefined : Math.max(...fills);
}

function uploadsOf(before: Snapshot, now: Snapshot, seconds: number): UploadFigures[] | undefined {
  const earlier = new Map(before.uploads?.map(({ streamId, size }) => [streamId, size]));
  return now.uploads?.map(({ streamId, size }) => ({
    streamId,
    size,
    growthPerSecond: growth(earlier.get(streamId) ?? size, size, seconds),
  }));
}
