/**
 * What a server process has used. The bench's own servers are read from outside, through the system, which costs them
 * nothing while they are measured; another one is asked for its metrics, if it has any.
 */
import { readFile } from "node:fs/promises";

export interface Figures {
  /** Processor time so far, of all threads, user and system. */
  cpuSeconds: number;
  /** Everything resident, mapped files included. */
  residentBytes: number;
  /** Heap and memory shared between threads, without mapped files; undefined where the system does not say. */
  ownBytes: number | undefined;
}

/** Reads the figures as they are now; undefined where there is no way to know them. */
export type Probe = () => Promise<Figures | undefined>;

/** Clock ticks a second in /proc: the same on every Linux. */
const ticks = 100;
const samplingMs = 50;

export function processProbe(pid: number): Probe {
  return process.platform === "linux" ? () => procFigures(pid) : () => psFigures(pid);
}

async function procFigures(pid: number): Promise<Figures | undefined> {
  const files = [readFile(`/proc/${pid}/stat`, "utf8"), readFile(`/proc/${pid}/status`, "utf8")];
  // A process that has ended is known by its connections, which are lost.
  const texts = await Promise.all(files).catch(() => undefined);
  if (texts === undefined) return undefined;
  const [stat, status] = texts as [string, string];
  const bytes = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(status)![1]) * 1024;
  // The program's name, in brackets, may hold anything; utime and stime are fields 14 and 15 of the line.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticks,
    residentBytes: bytes("VmRSS"),
    // Memory that threads share counts as anonymous. RssShmem is mapped files of a file system in memory.
    ownBytes: bytes("RssAnon"),
  };
}

async function psFigures(pid: number): Promise<Figures | undefined> {
  const child = Bun.spawn(["ps", "-o", "time=,rss=", "-p", String(pid)], { stderr: "ignore" });
  return parsePs(await child.stdout.text());
}

/** "0:01.25 20480" (macOS) or "00:00:01 20480", days before a dash; undefined for anything else. */
export function parsePs(text: string): Figures | undefined {
  const match = /^\s*(?:(\d+)-)?((?:\d+:)*[\d.]+)\s+(\d+)\s*$/.exec(text);
  if (match === null) return undefined;
  const [, days = "0", time, kibibytes] = match;
  const seconds = time!.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
  return {
    cpuSeconds: Number(days) * 86_400 + seconds,
    residentBytes: Number(kibibytes) * 1024,
    ownBytes: undefined,
  };
}

/** Reads Prometheus text at `/metrics`. The two names are the ones that every exporter of a process uses. */
export function metricsProbe(httpBase: string): Probe {
  return async () => {
    // A server that has no metrics, or has gone, has no figures: the table says so.
    const response = await fetch(`${httpBase}/metrics`).catch(() => undefined);
    if (response?.ok !== true) return undefined;
    const text = await response.text();
    const cpuSeconds = metric(text, "process_cpu_seconds_total");
    const residentBytes = metric(text, "process_resident_memory_bytes");
    if (cpuSeconds === undefined || residentBytes === undefined) return undefined;
    return { cpuSeconds, residentBytes, ownBytes: undefined };
  };
}

function metric(text: string, name: string): number | undefined {
  const value = new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, "m").exec(text)?.[1];
  return value === undefined || Number.isNaN(Number(value)) ? undefined : Number(value);
}

/** Processor seconds that a server used while `act` ran, and the most memory it held then. */
export interface Usage {
  cpuSeconds: number | undefined;
  /** Processor seconds of this process meanwhile. */
  benchCpuSeconds: number;
  peakResidentBytes: number | undefined;
  peakOwnBytes: number | undefined;
}

export async function withUsage<T>(probe: Probe, act: () => Promise<T>): Promise<[T, Usage]> {
  const before = await probe();
  const benchBefore = process.cpuUsage();
  const seen = [before];
  let sampling = false;
  const timer = setInterval(async () => {
    // A probe that is slower than the clock is not asked again before it has answered.
    if (sampling) return;
    sampling = true;
    seen.push(await probe());
    sampling = false;
  }, samplingMs);
  try {
    const result = await act();
    const { user, system } = process.cpuUsage(benchBefore);
    const after = await probe();
    seen.push(after);
    const cpuSeconds =
      before === undefined || after === undefined ? undefined : after.cpuSeconds - before.cpuSeconds;
    const most = (of: (figures: Figures) => number | undefined) => largest(seen.map((f) => f && of(f)));
    return [
      result,
      {
        cpuSeconds,
        benchCpuSeconds: (user + system) / 1e6,
        peakResidentBytes: most((figures) => figures.residentBytes),
        peakOwnBytes: most((figures) => figures.ownBytes),
      },
    ];
  } finally {
    clearInterval(timer);
  }
}

/** The largest of the numbers that are known. */
export function largest(values: (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}
