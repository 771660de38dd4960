/** The metric families of the archive. They have no values without one. */
import { sharedNow } from "../../base/system/shared-clock.ts";
import type { Family, Values } from "./families.ts";
import type { ArchiveFigures, Sources } from "./sources.ts";

export function archiveFamilies({ archive, archiver }: Sources): Family[] {
  const figures = (values: (of: ArchiveFigures) => Values) => () =>
    archive === undefined ? [] : values(archive);
  return [
    {
      type: "gauge",
      name: "wavecache_archive_up",
      help: "Whether the object store has answered the last request, 0 or 1.",
      labels: [],
      values: figures(({ availability }) => (availability.isAvailable ? 1 : 0)),
    },
    {
      type: "gauge",
      name: "wavecache_archive_objects",
      help: "Objects by where they are: queued (only here), local (here and in the archive), archived (there alone).",
      labels: ["state"],
      values: figures(({ totals }) =>
        byState(totals.queued, totals.archived - totals.evicted, totals.evicted),
      ),
    },
    {
      type: "gauge",
      name: "wavecache_archive_bytes",
      help: "Bytes of these objects.",
      labels: ["state"],
      values: figures(({ totals }) =>
        byState(totals.queuedBytes, totals.archivedBytes - totals.evictedBytes, totals.evictedBytes),
      ),
    },
    {
      type: "gauge",
      name: "wavecache_archive_queue_age_seconds",
      help: "How long the oldest object or recording waits to be archived; 0 if none does.",
      labels: [],
      values: figures(({ totals: { oldestQueuedAt } }) =>
        oldestQueuedAt === null ? 0 : Math.max(0, sharedNow() - oldestQueuedAt) / 1000,
      ),
    },
    {
      type: "gauge",
      name: "wavecache_archive_deferring",
      help: "Whether storing waits because uploads keep the processors busy, 0 or 1.",
      labels: [],
      values: figures(({ pace }) => (pace.isDeferring ? 1 : 0)),
    },
    {
      type: "gauge",
      name: "wavecache_archive_removals",
      help: "Objects and recordings that wait to be removed from the archive.",
      labels: [],
      values: figures(({ totals }) => totals.removals),
    },
    {
      type: "counter",
      name: "wavecache_archive_stored_bytes_total",
      help: "Bytes of objects and recordings that were stored in the archive.",
      labels: [],
      values: figures(({ queue }) => queue.storedBytes),
    },
    {
      type: "counter",
      name: "wavecache_archive_requests_total",
      help: "Requests to the object store, by operation and HTTP status; status 0 is no answer.",
      labels: ["operation", "status"],
      values: () => requestsOf(archiver?.answers ?? new Map()),
    },
    ...recordingFamilies(figures),
    ...partFamilies(figures),
    ...readFamilies(figures),
  ];
}

type OfFigures = (values: (of: ArchiveFigures) => Values) => () => Values;

function recordingFamilies(figures: OfFigures): Family[] {
  return [
    {
      type: "gauge",
      name: "wavecache_archive_recordings",
      help: "Recordings by where their samples are: queued (only here), local (here and in the archive), archived (there alone).",
      labels: ["state"],
      values: figures(({ totals: { recordings: of } }) =>
        byState(of.queued, of.archived - of.evicted, of.evicted),
      ),
    },
    {
      type: "gauge",
      name: "wavecache_archive_recording_bytes",
      help: "Bytes of these samples.",
      labels: ["state"],
      values: figures(({ totals: { recordings: of } }) =>
        byState(of.queuedBytes, of.archivedBytes - of.evictedBytes, of.evictedBytes),
      ),
    },
  ];
}

function partFamilies(figures: OfFigures): Family[] {
  return [
    {
      type: "counter",
      name: "wavecache_archive_upload_parts_total",
      help: "Parts of uploads that were stored in the archive while the uploads came.",
      labels: [],
      values: figures(({ parts }) => parts.figures.parts),
    },
    {
      type: "counter",
      name: "wavecache_archive_part_bytes_total",
      help: "Bytes of these parts.",
      labels: [],
      values: figures(({ parts }) => parts.figures.bytes),
    },
    {
      type: "counter",
      name: "wavecache_archive_moved_uploads_total",
      help: "Interrupted uploads that were brought here from the archive, to be continued.",
      labels: [],
      values: figures(({ restores }) => restores.figures.uploads),
    },
    {
      type: "counter",
      name: "wavecache_archive_moved_bytes_total",
      help: "Bytes of these uploads.",
      labels: [],
      values: figures(({ restores }) => restores.figures.bytes),
    },
  ];
}

function readFamilies(figures: OfFigures): Family[] {
  return [
    {
      type: "counter",
      name: "wavecache_archive_reads_total",
      help: "Reads of archived audio that waited: hit (the pieces were here by then), miss (they were fetched).",
      labels: ["result"],
      values: figures(({ fetched: { hits, misses } }) => [
        [{ result: "hit" }, hits],
        [{ result: "miss" }, misses],
      ]),
    },
    {
      type: "counter",
      name: "wavecache_archive_fetched_pieces_total",
      help: "Pieces of 1 MiB that were fetched from the archive.",
      labels: [],
      values: figures(({ fetched }) => fetched.fetchedPieces),
    },
    {
      type: "gauge",
      name: "wavecache_archive_fetches",
      help: "Pieces that are being fetched, or wait for that.",
      labels: ["state"],
      values: figures(
        ({
          fetched: {
            figures: { fetching, waiting },
          },
        }) => [
          [{ state: "fetching" }, fetching],
          [{ state: "waiting" }, waiting],
        ],
      ),
    },
    {
      type: "counter",
      name: "wavecache_archive_evicted_objects_total",
      help: "Local copies of archived objects and recordings that were dropped.",
      labels: [],
      values: figures(({ eviction }) => eviction.evicted.count),
    },
    {
      type: "counter",
      name: "wavecache_archive_evicted_bytes_total",
      help: "Bytes of these copies.",
      labels: [],
      values: figures(({ eviction }) => eviction.evicted.bytes),
    },
  ];
}

function byState(queued: number, local: number, archived: number): Values {
  return [
    [{ state: "queued" }, queued],
    [{ state: "local" }, local],
    [{ state: "archived" }, archived],
  ];
}

function requestsOf(answers: ReadonlyMap<string, number>): Values {
  return Array.from(answers, ([name, count]): [Record<string, string>, number] => {
    const [operation, status] = name.split(" ");
    return [{ operation: operation!, status: status! }, count];
  });
}
