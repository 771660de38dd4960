/**
 * `bun run bench:churn`: clients connect, upload and disconnect (finished, unfinished, cut) for minutes. Meanwhile the
 * bench samples the server's memory, files and resources through its metrics. Exit status 1 if anything has grown.
 */
import { cac } from "cac";
import { GiB, KiB, MiB } from "../../src/base/limits/units.ts";
import { countOption, type Options, textOption } from "../../src/cli/kit/arguments.ts";
import { CliError, exitFailure, usageError } from "../../src/cli/kit/failures.ts";
import { humanBytes, table } from "../../src/cli/kit/text.ts";
import { readConfig } from "../../src/config/config.ts";
import type { Exposition } from "../../src/client/http/exposition.ts";
import { scrape } from "../../src/testing/harness/http/exposition.ts";
import { churn, type ChurnCounts } from "./churn-clients.ts";
import { numberOption, readCommandLine, runBench, writeReport } from "./command.ts";
import { type Allowance, type Growth, growthOf } from "./growth.ts";
import { Progress } from "./progress.ts";
import { openSubject, type Subject } from "./server.ts";

interface Settings {
  minutes: number;
  clients: number;
  bytes: number;
  /** Growth of memory up to this share is noise, in percent. */
  tolerance: number;
  json: string | undefined;
}

/** A metric that should stay constant. */
interface Watched {
  name: string;
  kind: "memory" | "bytes" | "count";
  read: (metrics: Exposition) => number | undefined;
}

/** Memory varies by this much in any case, since a heap grows before it is collected. */
const memorySlackBytes = 16 * MiB;
const minMinutes = 0.03;
const maxMinutes = 24 * 60;
const samplesWanted = 600;
const minSampleMs = 100;

const watched: Watched[] = [
  { name: "resident memory", kind: "memory", read: (m) => m.sum("process_resident_memory_bytes") },
  { name: "memory of its own", kind: "memory", read: (m) => m.sum("wavecache_own_memory_bytes") },
  { name: "open file descriptors", kind: "count", read: (m) => m.sum("process_open_fds") },
  { name: "connections", kind: "count", read: (m) => m.sum("wavecache_connections") },
  { name: "streams, of all states", kind: "count", read: (m) => m.sum("wavecache_streams") },
  { name: "slots of the writers", kind: "count", read: (m) => m.sum("wavecache_writer_slots") },
  { name: "bytes in the cache", kind: "bytes", read: (m) => m.sum("wavecache_cache_bytes") },
  { name: "bytes on their way out", kind: "bytes", read: (m) => m.sum("wavecache_outbound_bytes") },
  { name: "unanswered calls", kind: "count", read: (m) => m.sum("wavecache_waiting_calls") },
];

function readSettings(args: string[]): Settings | undefined {
  const cli = cac("bun run bench:churn");
  cli
    .command("[...rest]", "Look for resource leaks")
    .usage(
      "[options]\n\nLets clients connect, upload and disconnect for minutes, and reports whether the server grows.",
    )
    .option("--minutes <count>", "Duration, such as 10 or 0.5", { default: "10" })
    .option("--clients <count>", "Clients at once", { default: "16" })
    .option("--bytes <count>", "Length of each upload", { default: String(128 * KiB) })
    .option("--tolerance <percent>", "Memory growth that is allowed", { default: "10" })
    .option("--json <file>", "Write all figures to this file");
  return readCommandLine(cli, args, (options) => ({
    minutes: minutesOption(options),
    clients: countOption(options, "clients", 1, 1000),
    bytes: countOption(options, "bytes", 1, GiB),
    tolerance: numberOption(options, "tolerance", 1000),
    json: textOption(options, "json"),
  }));
}

/** Each fifth of the time needs several samples. */
function minutesOption(options: Options): number {
  const minutes = numberOption(options, "minutes", maxMinutes);
  if (minutes >= minMinutes) return minutes;
  throw usageError(`--minutes is less than ${minMinutes}: too short to see anything grow`);
}

/** Runs `act` and scrapes the server meanwhile. */
async function sampled<T>(
  subject: Subject,
  everyMs: number,
  act: () => Promise<T>,
): Promise<{ result: T; samples: Exposition[] }> {
  const over = new AbortController();
  const acting = act().finally(() => over.abort());
  const sampling = sampleUntil(subject.httpBase, everyMs, over.signal);
  const [result, samples] = await Promise.all([acting, sampling]);
  return { result, samples };
}

async function sampleUntil(httpBase: string, everyMs: number, over: AbortSignal): Promise<Exposition[]> {
  const samples: Exposition[] = [];
  for (let due = performance.now(); !over.aborted; due += everyMs) {
    const metrics = await scrape(httpBase);
    if (metrics === undefined) throw new CliError("the server has no metrics", "this bench needs them");
    samples.push(metrics);
    await Bun.sleep(Math.max(0, due + everyMs - performance.now()));
  }
  return samples;
}

function growths(settings: Settings, samples: Exposition[]): (Growth & Pick<Watched, "kind">)[] {
  return watched.flatMap(({ name, kind, read }) => {
    const values = samples.map(read).filter((value) => value !== undefined);
    // Only Linux reports all of them.
    if (values.length < samples.length) return [];
    return [{ ...growthOf(name, values, allowanceOf(kind, settings)), kind }];
  });
}

/** Allow for resources that the clients use at the moment of a sample. */
function allowanceOf(kind: Watched["kind"], { tolerance, clients, bytes }: Settings): Allowance {
  if (kind === "memory") return { share: tolerance / 100, absolute: memorySlackBytes };
  return { share: 0, absolute: kind === "count" ? clients : clients * bytes };
}

function lines(settings: Settings, counts: ChurnCounts, seen: (Growth & Pick<Watched, "kind">)[]): string[] {
  const { finished, unfinished, cut, errors } = counts;
  const total = finished + unfinished + cut;
  const rows = seen.map(({ name, kind, early, late, max, grew }) => {
    const text = (value: number) => (kind === "count" ? value.toFixed(0) : humanBytes(Math.round(value)));
    return [name, text(early), text(late), text(max), grew ? "GREW" : "ok"];
  });
  return [
    `${settings.clients} clients for ${settings.minutes} minutes: ${total} uploads of ${humanBytes(settings.bytes)}, ` +
      `${finished} finished, ${unfinished} left unfinished, ${cut} cut off`,
    "",
    ...table([["THE SERVER, medians", "second fifth", "last fifth", "allowed", ""], ...rows], [1, 2, 3]),
    "",
    ...errors.slice(0, 5).map((error) => `Error     ${error}`),
    verdict(errors, seen),
  ];
}

function verdict(errors: string[], seen: Growth[]): string {
  if (errors.length > 0) return "The run was cut short by an error";
  const grown = seen.filter(({ grew }) => grew).map(({ name }) => name);
  return grown.length === 0 ? "Nothing grew" : `Grew: ${grown.join(", ")}`;
}

async function run(settings: Settings): Promise<number> {
  const { clients, bytes, minutes } = settings;
  await using subject = await openSubject({
    server: undefined,
    workers: readConfig([], {})!.workers,
    maxCacheBytes: Math.max(GiB, 4 * clients * bytes),
    maxConnections: 2 * clients + 16,
  });
  using progress = new Progress();
  progress.phase(`${clients} clients connect and disconnect for ${minutes} minutes`);
  const end = performance.now() + minutes * 60_000;
  const everyMs = Math.max(minSampleMs, (minutes * 60_000) / samplesWanted);
  const { result: counts, samples } = await sampled(subject, everyMs, () =>
    churn(subject, clients, bytes, () => performance.now() >= end),
  );
  progress[Symbol.dispose]();
  const seen = growths(settings, samples);
  process.stdout.write(`${lines(settings, counts, seen).join("\n")}\n`);
  const passed = counts.errors.length === 0 && seen.every(({ grew }) => !grew);
  const series = Object.fromEntries(watched.map(({ name, read }) => [name, samples.map(read)]));
  await writeReport(settings, { passed, counts, growth: seen, everyMs, series });
  return passed ? 0 : exitFailure;
}

await runBench(readSettings, run);
