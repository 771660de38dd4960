/**
 * What a server has used. It is asked for its metrics before and after, if it has any: they know its processor time to
 * the microsecond, and what went on inside. Between, its memory is read through the system where it runs on this machine,
 * which costs it nothing; one that runs elsewhere is asked for that too, but seldom, since an answer takes it
 * milliseconds.
 */
import { readFile } from "node:fs/promises";
import { type Exposition, scrape } from "../../src/testing/harness/http/exposition.ts";
import { type Inside, insideBetween } from "./inside.ts";

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
const processSamplingMs = 50;
const metricsSamplingMs = 1000;

/** A server that is looked at. */
export interface Observed {
  probe: Probe;
  /** How often the probe may be used while the server is measured. */
  samplingMs: number;
  /** Its metrics; undefined if it has none. */
  scrape(): Promise<Exposition | undefined>;
}

/** A process of this machine without metrics. */
export function observedProcess(pid: number): Observed {
  return { probe: processProbe(pid), samplingMs: processSamplingMs, scrape: noFigures };
}

/** A server of this machine. */
export function observedServer(httpBase: string, pid: number): Observed {
  if (process.platform === "win32") return observedElsewhere(httpBase);
  return { probe: processProbe(pid), samplingMs: processSamplingMs, scrape: () => tryScrape(httpBase) };
}

/** A server that runs anywhere. */
export function observedElsewhere(httpBase: string): Observed {
  const probe = metricsProbe(httpBase);
  return { probe, samplingMs: metricsSamplingMs, scrape: () => tryScrape(httpBase) };
}

export function processProbe(pid: number): Probe {
  if (process.platform === "linux") return () => procFigures(pid);
  return process.platform === "win32" ? noFigures : () => psFigures(pid);
}

/** Neither /proc nor ps is there. */
function noFigures(): Promise<undefined> {
  return Promise.resolve(undefined);
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

/** Reads Prometheus text at `/metrics`. The first two names are the ones that every exporter of a process uses. */
export function metricsProbe(httpBase: string): Probe {
  return async () => {
    const metrics = await tryScrape(httpBase);
    const cpuSeconds = metrics?.sum("process_cpu_seconds_total");
    const residentBytes = metrics?.sum("process_resident_memory_bytes");
    if (cpuSeconds === undefined || residentBytes === undefined) return undefined;
    return { cpuSeconds, residentBytes, ownBytes: metrics?.sum("wavecache_own_memory_bytes") };
  };
}

/** A server that has no metrics, or has gone, has no figures: the table says so. */
async function tryScrape(httpBase: string): Promise<Exposition | undefined> {
  return await scrape(httpBase).catch(() => undefined);
}

/** Processor seconds that a server used while `act` ran, and the most memory it held then. */
export interface Usage {
  cpuSeconds: number | undefined;
  /** Processor seconds of this process meanwhile. */
  benchCpuSeconds: number;
  peakResidentBytes: number | undefined;
  peakOwnBytes: number | undefined;
  /** Undefined for a server that does not say. */
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
  const most = (of: (figures: Figures) => number | undefined) =>
    largest(seen.map((each) => each && of(each)));
  return [
    result,
    {
      cpuSeconds: difference(before.cpuSeconds, after.cpuSeconds),
      benchCpuSeconds: (user + system) / 1e6,
      peakResidentBytes: most((figures) => figures.residentBytes),
      peakOwnBytes: most((figures) => figures.ownBytes),
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

/** Looks at a server again and again. */
class Sampler implements Disposable {
  readonly seen: (Figures | undefined)[] = [];
  readonly #timer: Timer;
  #looking = false;

  constructor({ probe, samplingMs }: Observed) {
    this.#timer = setInterval(async () => {
      // A probe that is slower than the clock is not asked again before it has answered.
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

/** The largest of the numbers that are known. */
export function largest(values: (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}
