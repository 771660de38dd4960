/**
 * `bun run bench:churn`: clients come, upload and leave (finished, unfinished, cut off) for minutes, while the server's
 * memory, its files and what it holds are looked at through its metrics. Exit status 1 when anything has grown.
 */
import { cac } from "cac";
import { GiB, KiB, MiB } from "../../src/base/limits/units.ts";
import { countOption, type Options, textOption } from "../../src/cli/kit/arguments.ts";
import { CliError, exitFailure, usageError } from "../../src/cli/kit/failures.ts";
import { humanBytes, table } from "../../src/cli/kit/text.ts";
import { readConfig } from "../../src/config/config.ts";
import { type Exposition, scrape } from "../../src/testing/harness/http/exposition.ts";
import { churn, type ChurnCounts } from "./churn-clients.ts";
import { numberOption, readCommandLine, runBench, writeReport } from "./command.ts";
import { type Allowance, type Growth, growthOf } from "./growth.ts";
import { Progress } from "./progress.ts";
import { openSubject, type Subject } from "./server.ts";

interface Settings {
  minutes: number;
  clients: number;
  bytes: number;
  /** Growth of memory that is none, in percent. */
  tolerance: number;
  json: string | undefined;
}

/** A figure that is to stay as it is. */
interface Watched {
  name: string;
  kind: "memory" | "bytes" | "count";
  read: (metrics: Exposition) => number | undefined;
}

/** Memory goes up and down by this much in any case: a heap grows before it is cleaned up. */
const memorySlackBytes = 16 * MiB;
const leastMinutes = 0.03;
const maxMinutes = 24 * 60;
const samplesWanted = 600;
const leastSampleMs = 100;

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
    .command("[...rest]", "Look for leaks")
    .usage(
      "[options]\n\nLets clients come, upload and leave for minutes, and says whether the server grows by it.",
    )
    .option("--minutes <count>", "How long, such as 10 or 0.5", { default: "10" })
    .option("--clients <count>", "Clients at once", { default: "16" })
    .option("--bytes <count>", "Length of each upload", { default: String(128 * KiB) })
    .option("--tolerance <percent>", "By how much memory may be higher at the end", { default: "10" })
    .option("--json <file>", "Write all figures to this file");
  return readCommandLine(cli, args, (options) => ({
    minutes: minutesOption(options),
    clients: countOption(options, "clients", 1, 1000),
    bytes: countOption(options, "bytes", 1, GiB),
    tolerance: numberOption(options, "tolerance", 1000),
    json: textOption(options, "json"),
  }));
}

/** Fifths of the time need some samples each. */
function minutesOption(options: Options): number {
  const minutes = numberOption(options, "minutes", maxMinutes);
  if (minutes >= leastMinutes) return minutes;
  throw usageError(`--minutes is less than ${leastMinutes}: too short to see anything grow`);
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
    // Only Linux says all of them.
    if (values.length < samples.length) return [];
    return [{ ...growthOf(name, values, allowanceOf(kind, settings)), kind }];
  });
}

/** What the clients of a moment may hold is no growth. */
function allowanceOf(kind: Watched["kind"], { tolerance, clients, bytes }: Settings): Allowance {
  if (kind === "memory") return { share: tolerance / 100, absolute: memorySlackBytes };
  return { share: 0, absolute: kind === "count" ? clients : clients * bytes };
}

function lines(settings: Settings, counts: ChurnCounts, seen: (Growth & Pick<Watched, "kind">)[]): string[] {
  const { finished, unfinished, cut, errors } = counts;
  const total = finished + unfinished + cut;
  const rows = seen.map(({ name, kind, early, late, most, grew }) => {
    const text = (value: number) => (kind === "count" ? value.toFixed(0) : humanBytes(Math.round(value)));
    return [name, text(early), text(late), text(most), grew ? "GREW" : "ok"];
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
  progress.phase(`${clients} clients come and go for ${minutes} minutes`);
  const end = performance.now() + minutes * 60_000;
  const everyMs = Math.max(leastSampleMs, (minutes * 60_000) / samplesWanted);
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
