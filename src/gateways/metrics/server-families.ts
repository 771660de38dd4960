/** The metric families of the server. Names end with their unit; counters start at zero with the process. */
import type { Family, Values } from "./families.ts";
import type { Sources } from "./sources.ts";

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
    ...gatewayFamilies(sources),
    ...connectionFamilies(sources),
    ...streamFamilies(sources),
    ...checkFamilies(sources),
    ...damageFamilies(sources),
    ...threadFamilies(sources),
    ...recordingFamilies(sources),
    ...soundFamilies(sources),
    ...deviceFamilies(sources),
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

function streamFamilies({ streams, writers }: Sources): Family[] {
  return [
    {
      type: "gauge",
      name: "wavecache_streams",
      help: "Streams by state: uploading, finishing (becoming durable), interrupted (resumable), finished.",
      labels: ["state"],
      values: () => {
        const { uploading, finishing, interrupted, finished } = streams.figures();
        return Object.entries({ uploading, finishing, interrupted, finished }).map(([state, count]) => [
          { state },
          count,
        ]);
      },
    },
    {
      type: "gauge",
      name: "wavecache_cache_objects",
      help: "Distinct contents in the cache; empty ones do not count.",
      values: () => streams.figures().objects,
    },
    {
      type: "gauge",
      name: "wavecache_cache_bytes",
      help: "Bytes in the cache, in objects and in unfinished uploads.",
      labels: ["kind"],
      values: () => {
        const { objectBytes, unfinishedBytes } = streams.figures();
        return [
          [{ kind: "object" }, objectBytes],
          [{ kind: "unfinished" }, unfinishedBytes],
        ];
      },
    },
    {
      type: "gauge",
      name: "wavecache_cache_limit_bytes",
      help: "Capacity of the cache.",
      values: () => streams.figures().limitBytes,
    },
    {
      type: "counter",
      name: "wavecache_reclaimed_uploads_total",
      help: "Interrupted uploads removed from a full cache to make room.",
      values: () => streams.reclaimed.uploads,
    },
    {
      type: "counter",
      name: "wavecache_reclaimed_bytes_total",
      help: "Bytes of these uploads.",
      values: () => streams.reclaimed.bytes,
    },
    {
      type: "gauge",
      name: "wavecache_outbound_bytes",
      help: "Outbound audio of the audio cache and protocol v1: being read, or queued for the peer.",
      values: () => streams.outbound.usedBytes,
    },
    {
      type: "gauge",
      name: "wavecache_writer_slots",
      help: "Uploads and recordings open in the writer threads.",
      values: () => writers.slots,
    },
  ];
}

function checkFamilies({ streams }: Sources): Family[] {
  return [
    {
      type: "gauge",
      name: "wavecache_check_running",
      help: "1 while the store is checked in the background, after a start.",
      values: () => (streams.check.isRunning ? 1 : 0),
    },
    {
      type: "counter",
      name: "wavecache_checked_total",
      help: "What the check of the store has looked at: upload (unfinished), object (of a finished stream).",
      labels: ["kind"],
      values: () => {
        const { settledRows, checkedObjects } = streams.check.figures;
        return [
          [{ kind: "upload" }, settledRows],
          [{ kind: "object" }, checkedObjects],
        ];
      },
    },
    {
      type: "counter",
      name: "wavecache_orphan_files_total",
      help: "Files that belong to no known stream, set aside in lost+found.",
      values: () => streams.check.figures.orphanFiles,
    },
    {
      type: "counter",
      name: "wavecache_orphan_bytes_total",
      help: "Bytes of the files that were set aside in lost+found.",
      values: () => streams.check.figures.orphanBytes,
    },
    {
      type: "gauge",
      name: "wavecache_missing_objects",
      help: "Finished streams whose object is missing or has another size, as the check found them.",
      values: () => streams.check.figures.damagedStreams,
    },
  ];
}

function damageFamilies({ streams: { damage, scrub } }: Sources): Family[] {
  return [
    {
      type: "gauge",
      name: "wavecache_damaged_streams",
      help: "Finished streams whose audio was found damaged or missing.",
      values: () => damage.streams,
    },
    {
      type: "counter",
      name: "wavecache_damage_found_total",
      help: "Reads and checks that found damaged or missing audio.",
      values: () => damage.found,
    },
    {
      type: "gauge",
      name: "wavecache_scrub_progress_ratio",
      help: "The part of the current scrub that is done; 0 between two scrubs.",
      values: () => scrub.progress,
    },
    {
      type: "counter",
      name: "wavecache_scrubbed_objects_total",
      help: "Objects that the scrub has verified.",
      values: () => scrub.objects,
    },
    {
      type: "counter",
      name: "wavecache_scrubbed_bytes_total",
      help: "Bytes that the scrub has verified.",
      values: () => scrub.bytes,
    },
    {
      type: "gauge",
      name: "wavecache_scrub_timestamp_seconds",
      help: "When the last scrub ended; 0 if none has.",
      values: () => (scrub.finishedAt ?? 0) / 1000,
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

function recordingFamilies({ recordings, writers, meters }: Sources): Family[] {
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
      type: "counter",
      name: "wavecache_live_dropped_bytes_total",
      help: "Live audio (16-bit samples) dropped: listener, a slow listener; lane, no room in the ring from a writer.",
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
