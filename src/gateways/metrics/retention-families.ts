/** The metric families of retention: what it removed, and how full the disks are. */
import type { Family } from "./families.ts";
import type { Sources } from "./sources.ts";

const kinds = ["streams", "recordings"] as const;

export function retentionFamilies({ retention }: Sources): Family[] {
  const removed = (figure: "count" | "bytes"): [Record<string, string>, number][] =>
    kinds.flatMap((kind) =>
      Object.entries(retention.removed[kind]).map(([reason, figures]): [Record<string, string>, number] => [
        { kind, reason },
        figures[figure],
      ]),
    );
  const disks = (figure: "freeBytes" | "totalBytes"): [Record<string, string>, number][] =>
    kinds.map((kind) => [{ kind }, retention.disks.get(kind)?.[figure] ?? NaN]);
  return [
    {
      type: "counter",
      name: "wavecache_retention_removed_total",
      help: "Streams and recordings removed by retention, by the limit that they were beyond.",
      labels: ["kind", "reason"],
      values: () => removed("count"),
    },
    {
      type: "counter",
      name: "wavecache_retention_removed_bytes_total",
      help: "Bytes that these removals have freed.",
      labels: ["kind", "reason"],
      values: () => removed("bytes"),
    },
    {
      type: "gauge",
      name: "wavecache_disk_free_bytes",
      help: "Free space of the file systems of streams and recordings.",
      labels: ["kind"],
      values: () => disks("freeBytes"),
    },
    {
      type: "gauge",
      name: "wavecache_disk_size_bytes",
      help: "Size of the file systems of streams and recordings.",
      labels: ["kind"],
      values: () => disks("totalBytes"),
    },
  ];
}
