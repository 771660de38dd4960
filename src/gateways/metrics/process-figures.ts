/**
 * The process under the names that every exporter uses. Of prom-client's own collection these few are wanted; the rest
 * of it is about Node, lists every socket at each look, and counts processor time from its first call only.
 */
import { readdir, readFile } from "node:fs/promises";
import type { Family } from "./families.ts";

/** Read anew at each scrape: one family may be asked for before the others are. */
export function processFamilies(): Family[] {
  const startedAt = (Date.now() - performance.now()) / 1000;
  return [
    {
      type: "counter",
      name: "process_cpu_user_seconds_total",
      help: "Processor time of all threads in user mode, in seconds.",
      values: () => process.cpuUsage().user / 1e6,
    },
    {
      type: "counter",
      name: "process_cpu_system_seconds_total",
      help: "Processor time of all threads in the system, in seconds.",
      values: () => process.cpuUsage().system / 1e6,
    },
    {
      type: "counter",
      name: "process_cpu_seconds_total",
      help: "Processor time of all threads, in seconds.",
      values: () => {
        const { user, system } = process.cpuUsage();
        return (user + system) / 1e6;
      },
    },
    {
      type: "gauge",
      name: "process_start_time_seconds",
      help: "When the process started, in seconds since 1970.",
      values: () => startedAt,
    },
    {
      type: "gauge",
      name: "process_resident_memory_bytes",
      help: "Resident memory, mapped files included.",
      values: () => process.memoryUsage.rss(),
    },
    ...(process.platform === "linux" ? linuxFamilies() : []),
  ];
}

/** What only /proc tells. */
function linuxFamilies(): Family[] {
  return [
    {
      type: "gauge",
      name: "process_open_fds",
      help: "Open file descriptors.",
      // One of them is the listing's own.
      values: async () => (await readdir("/proc/self/fd")).length - 1,
    },
    {
      type: "gauge",
      name: "process_max_fds",
      help: "File descriptors that may be open.",
      values: async () =>
        Number(/^Max open files\s+(\d+)/m.exec(await readFile("/proc/self/limits", "utf8"))?.[1]),
    },
    {
      type: "gauge",
      name: "wavecache_own_memory_bytes",
      help: "Resident memory without mapped files: heap, buffers, and memory shared between threads.",
      values: async () =>
        Number(/^RssAnon:\s+(\d+)/m.exec(await readFile("/proc/self/status", "utf8"))?.[1]) * 1024,
    },
  ];
}
