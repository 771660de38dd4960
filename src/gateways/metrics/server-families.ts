/** The metric families of the server. Names end with their unit; counters start at zero with the process. */
import { clockAheadMs } from "../../base/system/shared-clock.ts";
import type { Family, Values } from "./families.ts";
import { archiveFamilies } from "./archive-families.ts";
import { clusterFamilies } from "./cluster-families.ts";
import { eventFamilies } from "./event-families.ts";
import type { Sources } from "./sources.ts";
import { retentionFamilies } from "./retention-families.ts";
import { storeFamilies } from "./store-families.ts";

export function serverFamilies(sources: Sources): Family[] {
  return [
    {
      type: "gauge",
      name: "wavecache_info",
      help: "Always 1; the labels are the versions of the server and of Bun.",
      labels: ["version", "bun"],
      values: () => [[{ version: sources.version, bun: Bun.version }, 1]],
    },
    {
      type: "counter",
      name: "wavecache_log_lines_dropped_total",
      help: "Lines of the log that standard output could not take: its reader is gone or too slow, or its disk full.",
      values: () => sources.logOutput.droppedLines,
    },
    {
      type: "gauge",
      name: "wavecache_clock_ahead_seconds",
      help: "How much the clock of this machine is ahead of that of a shared catalog, if it is wrong; its times are corrected.",
      values: () => clockAheadMs() / 1000,
    },
    {
      type: "counter",
      name: "wavecache_trace_spans_total",
      help: "Spans of traces that the collector took (exported), or did not take (failed).",
      labels: ["result"],
      values: () => Object.entries(sources.tracer.figures).map(([result, count]) => [{ result }, count]),
    },
    ...configFamilies(sources),
    ...gatewayFamilies(sources),
    ...connectionFamilies(sources),
    ...storeFamilies(sources),
    ...retentionFamilies(sources),
    ...threadFamilies(sources),
    ...recordingFamilies(sources),
    ...soundFamilies(sources),
    ...deviceFamilies(sources),
    ...eventFamilies(sources),
    ...clusterFamilies(sources),
    ...archiveFamilies(sources),
  ];
}

function configFamilies({ reloads }: Sources): Family[] {
  return [
    {
      type: "counter",
      name: "wavecache_config_reloads_total",
      help: "Reloads of the configuration, by outcome: succeeded or failed.",
      labels: ["outcome"],
      values: () => [
        [{ outcome: "succeeded" }, reloads.succeeded],
        [{ outcome: "failed" }, reloads.failed],
      ],
    },
    {
      type: "gauge",
      name: "wavecache_config_last_reload_failed",
      help: "1 if the last reload of the configuration failed, and the server runs with an older one.",
      values: () => (reloads.hasFailedLast ? 1 : 0),
    },
  ];
}

function gatewayFamilies({ meters }: Sources): Family[] {
  const labels = ["door"];
  const ofEach = (value: (meter: Sources["meters"]["all"][number]) => number) => (): Values =>
    meters.all.map((meter) => [{ door: meter.gateway }, value(meter)]);
  return [
    {
      type: "gauge",
      name: "wavecache_connections",
      help: "Open connections by gateway; for a gateway without connections, requests or transfers in flight.",
      labels,
      values: ofEach((meter) => meter.connections),
    },
    {
      type: "counter",
      name: "wavecache_connections_total",
      help: "Connections, requests or transfers opened, by gateway.",
      labels,
      values: ofEach((meter) => meter.connected),
    },
    {
      type: "counter",
      name: "wavecache_received_bytes_total",
      help: "Payload received through a gateway, without transport framing.",
      labels,
      values: ofEach((meter) => meter.bytesIn),
    },
    {
      type: "counter",
      name: "wavecache_sent_bytes_total",
      help: "Payload sent through a gateway, without transport framing.",
      labels,
      values: ofEach((meter) => meter.bytesOut),
    },
    {
      type: "counter",
      name: "wavecache_refused_messages_total",
      help: "Messages and frames that broke the protocol of a gateway.",
      labels,
      values: ofEach((meter) => meter.refused),
    },
    {
      type: "counter",
      name: "wavecache_errors_total",
      help: "Errors sent to peers, by gateway and code.",
      labels: ["door", "code"],
      values: () =>
        meters.all.flatMap(({ gateway, errors }) =>
          [...errors].map(([code, count]): [Record<string, string>, number] => [
            { door: gateway, code },
            count,
          ]),
        ),
    },
  ];
}

function connectionFamilies({ connections: { limit } }: Sources): Family[] {
  return [
    {
      type: "gauge",
      name: "wavecache_tcp_connections",
      help: "Open connections of all TCP ports, also silent ones and those that HTTP keeps alive.",
      values: () => limit.open,
    },
    {
      type: "gauge",
      name: "wavecache_tcp_connections_limit",
      help: "Limit of connections, from --max-connections and the limit of open files.",
      values: () => limit.max,
    },
  ];
}

function threadFamilies({ writers, readers, called }: Sources): Family[] {
  const threads = () => [...writers.figures(), ...readers.figures()];
  const ofRings = (value: "usedBytes" | "capacityBytes") => (): Values =>
    threads().flatMap(({ thread, rings }) =>
      rings.map(({ direction, ring }): [Record<string, string>, number] => [
        { thread, direction },
        ring[value],
      ]),
    );
  const ofJobs = (value: "count" | "seconds") => (): Values => {
    const all = [
      ...threads().map(({ thread, stats }) => ({ thread, jobs: stats.jobs() })),
      ...called.map(({ thread, calls }) => ({ thread, jobs: calls.jobs() })),
    ];
    return all.flatMap(({ thread, jobs }) =>
      jobs.map((figures): [Record<string, string>, number] => [{ thread, job: figures.job }, figures[value]]),
    );
  };
  return [
    {
      type: "gauge",
      name: "wavecache_ring_used_bytes",
      help: "Bytes in the ring to a thread (in) or from it (out).",
      labels: ["thread", "direction"],
      values: ofRings("usedBytes"),
    },
    {
      type: "gauge",
      name: "wavecache_ring_size_bytes",
      help: "Size of the ring to a thread (in) or from it (out).",
      labels: ["thread", "direction"],
      values: ofRings("capacityBytes"),
    },
    {
      type: "counter",
      name: "wavecache_jobs_total",
      help: "Jobs completed by a thread, by kind.",
      labels: ["thread", "job"],
      values: ofJobs("count"),
    },
    {
      type: "counter",
      name: "wavecache_job_seconds_total",
      help: "Time spent on the jobs of a thread, by kind. For the keeper and the encoder: from call to answer, including queueing.",
      labels: ["thread", "job"],
      values: ofJobs("seconds"),
    },
    {
      type: "gauge",
      name: "wavecache_waiting_calls",
      help: "Calls to a thread without an answer yet.",
      labels: ["thread"],
      values: () => called.map(({ thread, calls }) => [{ thread }, calls.waiting]),
    },
    {
      type: "counter",
      name: "wavecache_thread_restarts_total",
      help: "Restarts of a thread after it died.",
      labels: ["thread"],
      values: () =>
        [...threads(), ...called.map(({ thread, calls }) => ({ thread, restarts: calls.restarts }))].map(
          ({ thread, restarts }) => [{ thread }, restarts],
        ),
    },
  ];
}

function deviceFamilies({ devices }: Sources): Family[] {
  return [
    {
      type: "gauge",
      name: "wavecache_devices",
      help: "Devices connected over gRPC.",
      values: () => devices.connected,
    },
    {
      type: "gauge",
      name: "wavecache_device_sounds",
      help: "Sounds playing on devices or waiting to play.",
      values: () => devices.playing,
    },
  ];
}

function recordingFamilies({ recordings, peaks, writers, meters }: Sources): Family[] {
  const labels = ["thread"];
  const ofWriters = (value: "recordedFrames" | "lostFrames") => (): Values =>
    writers.figures().map(({ thread, stats }) => [{ thread }, stats[value]]);
  return [
    {
      type: "gauge",
      name: "wavecache_recordings",
      help: "Recordings in progress.",
      values: () => recordings.figures().running,
    },
    {
      type: "counter",
      name: "wavecache_recorded_frames_total",
      help: "Frames of live ingest accepted by a writer.",
      labels,
      values: ofWriters("recordedFrames"),
    },
    {
      type: "counter",
      name: "wavecache_lost_frames_total",
      help: "Frames of live ingest that never arrived: gaps in the sequence numbers.",
      labels,
      values: ofWriters("lostFrames"),
    },
    {
      type: "gauge",
      name: "wavecache_live_listeners",
      help: "Listeners to recordings in progress.",
      values: () => recordings.figures().listeners,
    },
    {
      type: "gauge",
      name: "wavecache_level_listeners",
      help: "Clients that follow live levels.",
      values: () => recordings.figures().levelListeners,
    },
    {
      type: "gauge",
      name: "wavecache_period_followers",
      help: "Clients that follow a period whose end is to come.",
      values: () => recordings.figures().periodFollowers,
    },
    {
      type: "gauge",
      name: "wavecache_unsaved_sound_spans",
      help: "Spans of sound and silence that are not in the catalog yet.",
      values: () => recordings.figures().unsavedSounds,
    },
    {
      type: "gauge",
      name: "wavecache_peak_jobs",
      help: "Sounds whose peaks are measured, or wait for it.",
      values: () => peaks.jobs,
    },
    {
      type: "counter",
      name: "wavecache_live_dropped_bytes_total",
      help: "Live audio (16-bit samples) dropped: listener, a slow listener; lane, no room in the ring from a writer, or the encoder behind.",
      labels: ["where"],
      values: () => [
        [{ where: "listener" }, meters.all.reduce((sum, meter) => sum + meter.skippedBytes, 0)],
        [{ where: "lane" }, recordings.figures().skippedLiveBytes],
      ],
    },
  ];
}

function soundFamilies({ sounds }: Sources): Family[] {
  return [
    {
      type: "gauge",
      name: "wavecache_sounds",
      help: "Device sounds in memory.",
      values: () => sounds.count,
    },
    {
      type: "gauge",
      name: "wavecache_sound_bytes",
      help: "Memory used by device sounds.",
      values: () => sounds.bytes,
    },
    {
      type: "counter",
      name: "wavecache_sounds_opened_total",
      help: "Device sounds that were not in memory, by origin: encoded from the source, or loaded from the cache folder.",
      labels: ["from"],
      values: () => [
        [{ from: "source" }, sounds.encoded],
        [{ from: "cache" }, sounds.loaded],
      ],
    },
  ];
}
