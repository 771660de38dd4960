/**
 * The process under the names that every exporter uses. Of prom-client's own collection these few are wanted; the rest
 * of it is about Node, lists every socket at each look, and counts processor time from its first call only.
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
      values: () => orUnknown(readdir("/proc/self/fd").then((descriptors) => descriptors.length - 1)),
    },
    {
      type: "gauge",
      name: "process_max_fds",
      help: "File descriptors that may be open.",
      values: () => orUnknown(numberIn("/proc/self/limits", /^Max open files\s+(\d+)/m)),
    },
    {
      type: "gauge",
      name: "wavecache_own_memory_bytes",
      help: "Resident memory without mapped files: heap, buffers, and memory shared between threads.",
      values: () =>
        orUnknown(numberIn("/proc/self/status", /^RssAnon:\s+(\d+)/m).then((kibibytes) => kibibytes * KiB)),
    },
  ];
}

async function numberIn(path: string, pattern: RegExp): Promise<number> {
  return Number(pattern.exec(await readFile(path, "utf8"))?.[1]);
}

/** A process without a free descriptor cannot read /proc; its other figures are then wanted all the more. */
function orUnknown(figure: Promise<number>): Promise<number> {
  return figure.catch(() => Number.NaN);
}
