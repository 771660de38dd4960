/**
 * The process metrics under the names that every exporter uses. prom-client has a default collection, but it reports
 * Node internals, lists every socket on each scrape, and counts CPU time only from its first call.
 */
import { readdir, readFile } from "node:fs/promises";
import { KiB } from "../../base/limits/units.ts";
import type { Family } from "./families.ts";

export function processFamilies(): Family[] {
  const startedAt = (Date.now() - performance.now()) / 1000;
  return [
    {
      type: "counter",
      name: "process_cpu_user_seconds_total",
      help: "CPU time of all threads in user mode, in seconds.",
      values: () => process.cpuUsage().user / 1e6,
    },
    {
      type: "counter",
      name: "process_cpu_system_seconds_total",
      help: "CPU time of all threads in kernel mode, in seconds.",
      values: () => process.cpuUsage().system / 1e6,
    },
    {
      type: "counter",
      name: "process_cpu_seconds_total",
      help: "CPU time of all threads, in seconds.",
      values: () => {
        const { user, system } = process.cpuUsage();
        return (user + system) / 1e6;
      },
    },
    {
      type: "gauge",
      name: "process_start_time_seconds",
      help: "Start time of the process, in seconds since 1970.",
      values: () => startedAt,
    },
    {
      type: "gauge",
      name: "process_resident_memory_bytes",
      help: "Resident memory, including mapped files.",
      values: () => orUnknown(Promise.try(() => process.memoryUsage.rss())),
    },
    ...(process.platform === "linux" ? linuxFamilies() : []),
  ];
}

/** Figures that only /proc has. */
function linuxFamilies(): Family[] {
  return [
    {
      type: "gauge",
      name: "process_open_fds",
      help: "Open file descriptors.",
      // The listing itself holds one descriptor open.
      values: () => orUnknown(readdir("/proc/self/fd").then((descriptors) => descriptors.length - 1)),
    },
    {
      type: "gauge",
      name: "process_max_fds",
      help: "Limit on open file descriptors.",
      values: () => orUnknown(numberIn("/proc/self/limits", /^Max open files\s+(\d+)/m)),
    },
    {
      type: "gauge",
      name: "wavecache_own_memory_bytes",
      help: "Resident memory without mapped files: heap, buffers and memory shared between threads.",
      values: () =>
        orUnknown(numberIn("/proc/self/status", /^RssAnon:\s+(\d+)/m).then((kibibytes) => kibibytes * KiB)),
    },
  ];
}

async function numberIn(path: string, pattern: RegExp): Promise<number> {
  return Number(pattern.exec(await readFile(path, "utf8"))?.[1]);
}

/** Without a free descriptor /proc cannot be read. The scrape must still report the other figures. */
function orUnknown(figure: Promise<number>): Promise<number> {
  return figure.catch(() => Number.NaN);
}
