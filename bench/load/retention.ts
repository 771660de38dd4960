/**
 * `bun run bench:retention`: how long reads and uploads take while retention removes many streams, compared with the same
 * server at rest.
 */
import { cac } from "cac";
import { countOption, textOption } from "../../src/cli/kit/arguments.ts";
import { table } from "../../src/cli/kit/text.ts";
import { scrape } from "../../src/testing/harness/http/exposition.ts";
import { TestServer } from "../../src/testing/harness/server.ts";
import { readCommandLine, runBench, writeReport } from "./command.ts";
import { fillCache } from "./filled-cache.ts";
import { Latency, type Percentiles } from "./latency.ts";

interface Settings {
  streams: number;
  restSeconds: number;
  json: string | undefined;
}

interface Phase {
  name: string;
  seconds: number;
  removed: number;
  reads: Percentiles;
  uploads: Percentiles;
}

const maxStreams = 10_000_000;
const audio = new Uint8Array(256 * 1024);
/** Between two requests of one kind: the server is loaded, not saturated. */
const pauseMs = 5;

function readSettings(args: string[]): Settings | undefined {
  const cli = cac("bun run bench:retention");
  cli
    .command("[...rest]", "Requests during a large removal")
    .usage("[options]\n\nMeasures reads and uploads while retention removes streams, and at rest.")
    .option("--streams <count>", "Streams to remove", { default: "100000" })
    .option("--rest-seconds <count>", "How long the server is measured at rest", { default: "15" })
    .option("--json <file>", "Write all figures to this file");
  return readCommandLine(cli, args, (options) => ({
    streams: countOption(options, "streams", 1, maxStreams),
    restSeconds: countOption(options, "rest-seconds", 1, 3600),
    json: textOption(options, "json"),
  }));
}

async function removedBy(server: TestServer): Promise<number> {
  return (await scrape(server.httpBase))?.sum("wavecache_retention_removed_total") ?? 0;
}

/** Sends requests until `isOver`. */
async function repeat(isOver: () => boolean, latency: Latency, act: () => Promise<Response>): Promise<void> {
  while (!isOver()) {
    const before = performance.now();
    const response = await act();
    await response.arrayBuffer();
    latency.record(performance.now() - before);
    if (!response.ok) throw new Error(`status ${response.status}`);
    await Bun.sleep(pauseMs);
  }
}

/** Reads and uploads concurrently until `end` resolves. */
async function measure(name: string, server: TestServer, end: Promise<unknown>): Promise<Phase> {
  const before = performance.now();
  const removedBefore = await removedBy(server);
  const [reads, uploads] = [new Latency(), new Latency()];
  let isOver = false;
  const ended = end.finally(() => (isOver = true));
  const url = (id: string) => `${server.httpBase}/api/streams/${id}/audio`;
  let uploaded = 0;
  const put = () => {
    uploaded += 1;
    const body = audio.slice();
    crypto.getRandomValues(body.subarray(0, 16));
    return fetch(url(`${name}-${uploaded}`), { method: "PUT", body });
  };
  await Promise.all([
    ended,
    repeat(
      () => isOver,
      reads,
      () => fetch(url("read")),
    ),
    repeat(() => isOver, uploads, put),
  ]);
  const removed = (await removedBy(server)) - removedBefore;
  const seconds = (performance.now() - before) / 1000;
  return { name, seconds, removed, reads: reads.percentiles(), uploads: uploads.percentiles() };
}

async function untilRemoved(server: TestServer, streams: number): Promise<void> {
  while ((await removedBy(server)) < streams) await Bun.sleep(250);
}

async function untilChecked(server: TestServer): Promise<void> {
  while ((await scrape(server.httpBase))?.sum("wavecache_check_running") !== 0) await Bun.sleep(250);
}

const ms = (value: number) => value.toFixed(1);

function row({ name, seconds, removed, reads, uploads }: Phase): string[] {
  const figures = [reads.p50, reads.p99, reads.max, uploads.p50, uploads.p99, uploads.max].map(ms);
  return [name, seconds.toFixed(1), String(removed), ...figures];
}

async function run(settings: Settings): Promise<number> {
  const flags = { "scrub-days": "off", "log-level": "info" };
  await using server = await TestServer.start({ flags });
  await server.stop();
  fillCache(server.cacheDir, { finished: settings.streams, unfinished: 0 });
  await server.restart();
  await untilChecked(server);
  await fetch(`${server.httpBase}/api/streams/read/audio`, { method: "PUT", body: audio });
  const rest = await measure("rest", server, Bun.sleep(settings.restSeconds * 1000));
  // Everything that was there before is older by now.
  await server.restart({ flags: { ...flags, "keep-streams": `${settings.restSeconds}s` } });
  const removing = await measure("removing", server, untilRemoved(server, settings.streams));
  const after = await measure("after", server, Bun.sleep(settings.restSeconds * 1000));
  const phases = [rest, removing, after];
  const head = ["", "s", "removed", "read p50", "p99", "max ms", "PUT p50", "p99", "max ms"];
  process.stdout.write(`${table([head, ...phases.map(row)], [1, 2, 3, 4, 5, 6, 7, 8]).join("\n")}\n`);
  await writeReport(settings, { phases });
  return 0;
}

await runBench(readSettings, run);
