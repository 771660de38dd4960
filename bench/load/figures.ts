/**
 * The resources that a server has used. If it has metrics, they are scraped before and after: they have its processor
 * time to the microsecond, and its inner state. In between, its memory is read from the operating system, which costs
 * the server nothing. A remote server is scraped for that too, but rarely, since a scrape takes it milliseconds.
 */
import { readFile } from "node:fs/promises";
import type { Exposition } from "../../src/client/http/exposition.ts";
import { scrape } from "../../src/testing/harness/http/exposition.ts";
import { type Inside, insideBetween } from "./inside.ts";

export interface Figures {
  /** Processor time so far, of all threads, user and system. */
  cpuSeconds: number;
  /** Resident memory, including mapped files. */
  residentBytes: number;
  /** Heap and memory shared between threads, without mapped files; undefined if the system does not report it. */
  ownBytes: number | undefined;
}

/** Reads the current figures; undefined if they are not available. */
export type Probe = () => Promise<Figures | undefined>;

/** Clock ticks per second in /proc: the same on every Linux. */
const ticks = 100;
const processSamplingMs = 50;
const metricsSamplingMs = 1000;

/** An observed server. */
export interface Observed {
  probe: Probe;
  /** Interval of memory probes during a measurement. */
  samplingMs: number;
  /** Its metrics; undefined if it has none. */
  scrape(): Promise<Exposition | undefined>;
}

/** A process on this machine without metrics. */
export function observedProcess(pid: number): Observed {
  return { probe: processProbe(pid), samplingMs: processSamplingMs, scrape: noFigures };
}

/** A server on this machine. */
export function observedServer(httpBase: string, pid: number): Observed {
  if (process.platform === "win32") return observedElsewhere(httpBase);
  return { probe: processProbe(pid), samplingMs: processSamplingMs, scrape: () => tryScrape(httpBase) };
}

/** A server on any machine. */
export function observedElsewhere(httpBase: string): Observed {
  const probe = metricsProbe(httpBase);
  return { probe, samplingMs: metricsSamplingMs, scrape: () => tryScrape(httpBase) };
}

export function processProbe(pid: number): Probe {
  if (process.platform === "linux") return () => procFigures(pid);
  return process.platform === "win32" ? noFigures : () => psFigures(pid);
}

/** Neither /proc nor ps is available. */
function noFigures(): Promise<undefined> {
  return Promise.resolve(undefined);
}

async function procFigures(pid: number): Promise<Figures | undefined> {
  const files = [readFile(`/proc/${pid}/stat`, "utf8"), readFile(`/proc/${pid}/status`, "utf8")];
  // The process has exited; its lost connections report that.
  const texts = await Promise.all(files).catch(() => undefined);
  if (texts === undefined) return undefined;
  const [stat, status] = texts as [string, string];
  const bytes = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(status)![1]) * 1024;
  // The program's name, in brackets, may contain anything; utime and stime are fields 14 and 15 of the line.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticks,
    residentBytes: bytes("VmRSS"),
    // Memory shared between threads counts as anonymous. RssShmem is mapped files of a tmpfs.
    ownBytes: bytes("RssAnon"),
  };
}

async function psFigures(pid: number): Promise<Figures | undefined> {
  const child = Bun.spawn(["ps", "-o", "time=,rss=", "-p", String(pid)], { stderr: "ignore" });
  return parsePs(await child.stdout.text());
}

/** "0:01.25 20480" (macOS) or "00:00:01 20480", with days before a dash; undefined for anything else. */
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

/** Reads Prometheus text at `/metrics`. The first two names are those of every process exporter. */
export function metricsProbe(httpBase: string): Probe {
  return async () => {
    const metrics = await tryScrape(httpBase);
    const cpuSeconds = metrics?.sum("process_cpu_seconds_total");
    const residentBytes = metrics?.sum("process_resident_memory_bytes");
    if (cpuSeconds === undefined || residentBytes === undefined) return undefined;
    return { cpuSeconds, residentBytes, ownBytes: metrics?.sum("wavecache_own_memory_bytes") };
  };
}

/** A server without metrics, or one that has exited, has no figures; the table says so. */
async function tryScrape(httpBase: string): Promise<Exposition | undefined> {
  return await scrape(httpBase).catch(() => undefined);
}

/** Processor seconds and peak memory of a server while `act` ran. */
export interface Usage {
  cpuSeconds: number | undefined;
  /** Processor seconds of this process in the same time. */
  benchCpuSeconds: number;
  peakResidentBytes: number | undefined;
  peakOwnBytes: number | undefined;
  /** Undefined if the server does not report it. */
  inside: Inside | undefined;
}

export async function withUsage<T>(observed: Observed, act: () => Promise<T>): Promise<[T, Usage]> {
  const before = await look(observed);
  const benchBefore = process.cpuUsage();
  using sampler = new Sampler(observed);
  const result = await act();
  const { user, system } = process.cpuUsage(benchBefore);
  const after = await look(observed);
  const seen = [before.figures, ...sampler.seen, after.figures];
  const peak = (of: (figures: Figures) => number | undefined) =>
    largest(seen.map((each) => each && of(each)));
  return [
    result,
    {
      cpuSeconds: difference(before.cpuSeconds, after.cpuSeconds),
      benchCpuSeconds: (user + system) / 1e6,
      peakResidentBytes: peak((figures) => figures.residentBytes),
      peakOwnBytes: peak((figures) => figures.ownBytes),
      inside: insideBetween(before, after),
    },
  ];
}

async function look({ probe, scrape: read }: Observed) {
  const metrics = await read();
  const at = performance.now();
  const figures = await probe();
  return {
    at,
    figures,
    metrics,
    cpuSeconds: metrics?.sum("process_cpu_seconds_total") ?? figures?.cpuSeconds,
  };
}

function difference(before: number | undefined, after: number | undefined): number | undefined {
  return before === undefined || after === undefined ? undefined : after - before;
}

/** Probes a server at an interval. */
class Sampler implements Disposable {
  readonly seen: (Figures | undefined)[] = [];
  readonly #timer: Timer;
  #looking = false;

  constructor({ probe, samplingMs }: Observed) {
    this.#timer = setInterval(async () => {
      // Skip a probe while the one before is unanswered.
      if (this.#looking) return;
      this.#looking = true;
      this.seen.push(await probe());
      this.#looking = false;
    }, samplingMs);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** The largest of the defined numbers. */
export function largest(values: (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}
