/**
 * `bun run bench:http`: requests per second and latencies of the HTTP routes, beside a bare `Bun.serve` that answers
 * `ok`. Routes and the bare server alternate. The server is started here and holds some streams. Exit status 1 if a
 * request fails.
 */
import autocannon from "autocannon";
import { cac } from "cac";
import { GiB } from "../../src/base/limits/units.ts";
import { countOption, textOption } from "../../src/cli/kit/arguments.ts";
import { exitFailure } from "../../src/cli/kit/failures.ts";
import { table } from "../../src/cli/kit/text.ts";
import { bunPlatform } from "../../src/client/transport/bun.ts";
import { bytesSource } from "../../src/client/audio-source.ts";
import { upload } from "../../src/client/legacy/upload.ts";
import { readConfig } from "../../src/config/config.ts";
import { readCommandLine, runBench, writeReport } from "./command.ts";
import { openBareServer, openSubject } from "./server.ts";

interface Settings {
  connections: number;
  seconds: number;
  streams: number;
  json: string | undefined;
}

interface RouteFigures {
  route: string;
  requestsPerSecond: number;
  /** Requests per second of a bare server just before. */
  share: number;
  /** Milliseconds; autocannon counts whole ones. */
  p50: number;
  p90: number;
  p99: number;
  p999: number;
  max: number;
  failures: number;
}

const maxConnections = 1000;
const maxSeconds = 600;
const maxStreams = 1000;
const streamBytes = 64;
const uploadsAtOnce = 32;

function readSettings(args: string[]): Settings | undefined {
  const cli = cac("bun run bench:http");
  cli
    .command("[...rest]", "Load the HTTP routes")
    .usage("[options]\n\nLoads the HTTP routes of a server that is started for it.")
    .option("--connections <count>", "Connections at once", { default: "50" })
    .option("--seconds <count>", "Time for each route", { default: "3" })
    .option("--streams <count>", "Streams that the server holds", { default: "200" })
    .option("--json <file>", "Write all figures to this file");
  return readCommandLine(cli, args, (options) => ({
    connections: countOption(options, "connections", 1, maxConnections),
    seconds: countOption(options, "seconds", 1, maxSeconds),
    streams: countOption(options, "streams", 1, maxStreams),
    json: textOption(options, "json"),
  }));
}

async function uploadStreams(url: string, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, index) => `http-${index}`);
  const waiting = [...ids];
  const uploader = async () => {
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      const source = bytesSource(crypto.getRandomValues(new Uint8Array(streamBytes)));
      await upload({ platform: bunPlatform, url, source, streamId: id });
    }
  };
  await Promise.all(Array.from({ length: uploadsAtOnce }, uploader));
  return ids;
}

async function load(url: string, settings: Settings): Promise<autocannon.Result> {
  return await autocannon({ url, connections: settings.connections, duration: settings.seconds });
}

async function measure(
  httpBase: string,
  route: string,
  bareBase: string,
  settings: Settings,
): Promise<RouteFigures> {
  const bare = await load(bareBase, settings);
  const ours = await load(`${httpBase}${route}`, settings);
  const { latency } = ours;
  return {
    route,
    requestsPerSecond: ours.requests.average,
    share: ours.requests.average / bare.requests.average,
    p50: latency.p50,
    p90: latency.p90,
    p99: latency.p99,
    p999: latency.p99_9,
    max: latency.max,
    failures: ours.errors + ours.non2xx + ours.timeouts,
  };
}

function lines(figures: RouteFigures[]): string[] {
  const rows = figures.map((each) => [
    each.route,
    each.requestsPerSecond.toFixed(0),
    `${(each.share * 100).toFixed(0)} %`,
    String(each.p50),
    String(each.p90),
    String(each.p99),
    String(each.p999),
    String(each.max),
    String(each.failures),
  ]);
  const head = ["GET", "requests/s", "of a bare server", "p50 ms", "p90", "p99", "p99.9", "max", "failures"];
  return table([head, ...rows], [1, 2, 3, 4, 5, 6, 7, 8]);
}

async function run(settings: Settings): Promise<number> {
  await using subject = await openSubject({
    server: undefined,
    workers: readConfig([], {})!.workers,
    maxCacheBytes: GiB,
    maxConnections,
  });
  await using bare = await openBareServer("sink", 1);
  const [id] = await uploadStreams(subject.url, settings.streams);
  const figures: RouteFigures[] = [];
  for (const route of ["/healthz", "/api/streams", `/api/streams/${id}`, "/metrics"]) {
    figures.push(await measure(subject.httpBase, route, bare.httpBase, settings));
  }
  const title = `${settings.connections} connections, ${settings.streams} streams in the cache`;
  process.stdout.write(`${[title, "", ...lines(figures)].join("\n")}\n`);
  await writeReport(settings, { figures });
  return figures.every(({ failures, requestsPerSecond }) => failures === 0 && requestsPerSecond > 0)
    ? 0
    : exitFailure;
}

await runBench(readSettings, run);
