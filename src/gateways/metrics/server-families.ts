/** The families of the server itself. Names end with their unit; counters count since the start. */
import type { Family, Values } from "./families.ts";
import type { Sources } from "./sources.ts";

export function serverFamilies(sources: Sources): Family[] {
  return [
    {
      type: "gauge",
      name: "wavecache_info",
      help: "1, with the versions of the server and of Bun.",
      labels: ["version", "bun"],
      values: () => [[{ version: sources.version, bun: Bun.version }, 1]],
    },
    ...gatewayFamilies(sources),
    ...cacheFamilies(sources),
    ...threadFamilies(sources),
    ...recordingFamilies(sources),
    ...soundFamilies(sources),
    ...deviceFamilies(sources),
  ];
}

function gatewayFamilies({ meters }: Sources): Family[] {
  const labels = ["door"];
  const ofEach = (value: (meter: Sources["meters"]["all"][number]) => number) => (): Values =>
    meters.all.map((meter) => [{ door: meter.door }, value(meter)]);
  return [
    {
      type: "gauge",
      name: "wavecache_connections",
      help: "Open connections by door; of a door without connections, requests and transfers under way.",
      labels,
      values: ofEach((meter) => meter.connections),
    },
    {
      type: "counter",
      name: "wavecache_connections_total",
      help: "Connections, requests or transfers that were opened, by door.",
      labels,
      values: ofEach((meter) => meter.connected),
    },
    {
      type: "counter",
      name: "wavecache_received_bytes_total",
      help: "Payload that came in through a door, without the framing of its transport.",
      labels,
      values: ofEach((meter) => meter.bytesIn),
    },
    {
      type: "counter",
      name: "wavecache_sent_bytes_total",
      help: "Payload that went out through a door, without the framing of its transport.",
      labels,
      values: ofEach((meter) => meter.bytesOut),
    },
    {
      type: "counter",
      name: "wavecache_refused_messages_total",
      help: "Messages and frames that broke a door's protocol.",
      labels,
      values: ofEach((meter) => meter.refused),
    },
    {
      type: "counter",
      name: "wavecache_errors_total",
      help: "Errors that peers were told, by door and code.",
      labels: ["door", "code"],
      values: () =>
        meters.all.flatMap(({ door, errors }) =>
          [...errors].map(([code, count]): [Record<string, string>, number] => [{ door, code }, count]),
        ),
    },
  ];
}

function cacheFamilies({ cache, writers }: Sources): Family[] {
  return [
    {
      type: "gauge",
      name: "wavecache_streams",
      help: "Streams by state: uploading, finishing (on their way to be durable), interrupted (resumable), finished.",
      labels: ["state"],
      values: () => {
        const { uploading, finishing, interrupted, finished } = cache.figures();
        return Object.entries({ uploading, finishing, interrupted, finished }).map(([state, count]) => [
          { state },
          count,
        ]);
      },
    },
    {
      type: "gauge",
      name: "wavecache_cache_objects",
      help: "Different contents in the cache; empty ones do not count.",
      values: () => cache.figures().objects,
    },
    {
      type: "gauge",
      name: "wavecache_cache_bytes",
      help: "Bytes in the cache: of objects, and of uploads that are not finished.",
      labels: ["kind"],
      values: () => {
        const { objectBytes, unfinishedBytes } = cache.figures();
        return [
          [{ kind: "object" }, objectBytes],
          [{ kind: "unfinished" }, unfinishedBytes],
        ];
      },
    },
    {
      type: "gauge",
      name: "wavecache_cache_limit_bytes",
      help: "Bytes that may be in the cache.",
      values: () => cache.figures().limitBytes,
    },
    {
      type: "gauge",
      name: "wavecache_outbound_bytes",
      help: "Audio on its way to peers of the audio cache: being read, or not taken by them yet.",
      values: () => cache.outbound.usedBytes,
    },
    {
      type: "gauge",
      name: "wavecache_writer_slots",
      help: "Uploads and recordings that the writers have open.",
      values: () => writers.slots,
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
      help: "Bytes in the ring to a thread (in) or from it (out), as it is now.",
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
      help: "Jobs that a thread has done, by kind.",
      labels: ["thread", "job"],
      values: ofJobs("count"),
    },
    {
      type: "counter",
      name: "wavecache_job_seconds_total",
      help: "Time that a thread's jobs took, by kind; of the keeper and the encoder, time from a call to its answer, waiting included.",
      labels: ["thread", "job"],
      values: ofJobs("seconds"),
    },
    {
      type: "gauge",
      name: "wavecache_waiting_calls",
      help: "Calls that a thread has not answered yet.",
      labels: ["thread"],
      values: () => called.map(({ thread, calls }) => [{ thread }, calls.waiting]),
    },
    {
      type: "counter",
      name: "wavecache_thread_restarts_total",
      help: "How often a thread died and was started again.",
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
      help: "Devices that are connected over gRPC.",
      values: () => devices.connected,
    },
    {
      type: "gauge",
      name: "wavecache_device_sounds",
      help: "Sounds that devices hear now, or wait for.",
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
      help: "Recordings that go on now.",
      values: () => recordings.figures().running,
    },
    {
      type: "counter",
      name: "wavecache_recorded_frames_total",
      help: "Frames of live ingest that a writer has taken.",
      labels,
      values: ofWriters("recordedFrames"),
    },
    {
      type: "counter",
      name: "wavecache_lost_frames_total",
      help: "Frames of live ingest that never came: gaps in the sequence numbers.",
      labels,
      values: ofWriters("lostFrames"),
    },
    {
      type: "gauge",
      name: "wavecache_live_listeners",
      help: "Listeners to recordings that go on now.",
      values: () => recordings.figures().listeners,
    },
    {
      type: "counter",
      name: "wavecache_live_dropped_bytes_total",
      help: "Live audio (16-bit samples) that was skipped: listener, one of them did not keep up; lane, no room on the way from a writer.",
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
      help: "Sounds for devices in memory.",
      values: () => sounds.count,
    },
    {
      type: "gauge",
      name: "wavecache_sound_bytes",
      help: "What the sounds in memory take there.",
      values: () => sounds.bytes,
    },
    {
      type: "counter",
      name: "wavecache_sounds_opened_total",
      help: "Sounds that were not in memory, by where they came from: encoded anew, or loaded from the cache folder.",
      labels: ["from"],
      values: () => [
        [{ from: "source" }, sounds.encoded],
        [{ from: "cache" }, sounds.loaded],
      ],
    },
  ];
}
