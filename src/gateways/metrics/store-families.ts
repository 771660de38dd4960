/** The metric families of the cache: its streams, its check, and its damage. */
import type { Family } from "./families.ts";
import type { Sources } from "./sources.ts";

export function storeFamilies(sources: Sources): Family[] {
  return [...streamFamilies(sources), ...checkFamilies(sources), ...damageFamilies(sources)];
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
