/**
 * `bun run bench:start`: starts the server on a cache that is full of streams. Prints how long it takes to be ready, how
 * much memory it has then, and how long lookups and lists take while it checks the store in the background.
 */
import { cac } from "cac";
import { countOption, textOption } from "../../src/cli/kit/arguments.ts";
import { humanBytes, table } from "../../src/cli/kit/text.ts";
import { scrape } from "../../src/testing/harness/http/exposition.ts";
import { TestServer } from "../../src/testing/harness/server.ts";
import { readCommandLine, runBench, writeReport } from "./command.ts";
import { fillCache, finishedId } from "../../src/testing/fixtures/filled-cache.ts";
import { Latency, type Percentiles } from "./latency.ts";
import { Progress } from "./progress.ts";

interface Settings {
  finished: number;
  unfinished: number;
  starts: number;
  requests: number;
  json: string | undefined;
}

interface Start {
  readyMs: number;
  residentBytes: number;
}

interface Requests {
  what: string;
  latency: Percentiles;
}

const maxStreams = 10_000_000;

function readSettings(args: string[]): Settings | undefined {
  const cli = cac("bun run bench:start");
  cli
    .command("[...rest]", "Start on a full cache")
    .usage("[options]\n\nStarts the server on a cache full of streams of a few bytes each.")
    .option("--finished <count>", "Finished streams, each with its own file", { default: "1000000" })
    .option("--unfinished <count>", "Interrupted uploads", { default: "0" })
    .option("--starts <count>", "Starts to measure", { default: "3" })
    .option("--requests <count>", "Requests of each kind", { default: "2000" })
    .option("--json <file>", "Write all figures to this file");
  return readCommandLine(cli, args, (options) => ({
    finished: countOption(options, "finished", 1, maxStreams),
    unfinished: countOption(options, "unfinished", 0, maxStreams),
    starts: countOption(options, "starts", 1, 100),
    requests: countOption(options, "requests", 1, 1_000_000),
    json: textOption(options, "json"),
  }));
}

async function startOnce(server: TestServer): Promise<Start> {
  if (server.isRunning) await server.stop();
  const before = performance.now();
  await server.restart();
  const readyMs = performance.now() - before;
  const { residentBytes } = await server.memory();
  return { readyMs, residentBytes };
}

/** Requests one after the other, so that each has the server to itself, apart from its background work. */
async function measure(settings: Settings, what: string, urlOf: () => string): Promise<Requests> {
  const latency = new Latency();
  for (let count = 0; count < settings.requests; count++) {
    const before = performance.now();
    const response = await fetch(urlOf());
    await response.arrayBuffer();
    latency.record(performance.now() - before);
    if (response.status !== 200) throw new Error(`${urlOf()} answered ${response.status}`);
  }
  return { what, latency: latency.percentiles() };
}

async function measureAll(settings: Settings, server: TestServer, when: string): Promise<Requests[]> {
  const anyId = () => finishedId(Math.floor(Math.random() * settings.finished));
  const list = (query: string) => `${server.httpBase}/api/streams?${query}&after=${anyId()}`;
  return [
    await measure(settings, `look a stream up, ${when}`, () => `${server.httpBase}/api/streams/${anyId()}`),
    await measure(settings, `list 100 streams, ${when}`, () => list("limit=100")),
    await measure(settings, `list 100 finished ones, ${when}`, () => list("state=finished&limit=100")),
    await measure(settings, `list 100 unfinished ones, ${when}`, () => list("state=unfinished&limit=100")),
  ];
}

/** Resolves with the seconds that the check took, from when it is called. */
async function untilChecked(server: TestServer): Promise<number> {
  const before = performance.now();
  while ((await scrape(server.httpBase))?.sum("wavecache_check_running") !== 0) await Bun.sleep(200);
  return (performance.now() - before) / 1000;
}

const ms = (value: number) => value.toFixed(1);

function row(name: string, { readyMs, residentBytes }: Start): string[] {
  return [name, ms(readyMs), humanBytes(residentBytes)];
}

interface Figures {
  empty: Start;
  starts: Start[];
  requests: Requests[];
  /** The rest of the check, after the requests during it. */
  checkSeconds: number;
}

function report(settings: Settings, { empty, starts, requests, checkSeconds }: Figures): string[] {
  return [
    `${settings.finished} finished streams, ${settings.unfinished} interrupted uploads`,
    "",
    ...table(
      [
        ["START", "ready after ms", "resident"],
        row("on an empty cache", empty),
        ...starts.map((start, index) => row(`on the full cache, ${index + 1}`, start)),
      ],
      [1, 2],
    ),
    "",
    ...table(
      [
        ["REQUEST, ms", "p50", "p99", "max"],
        ...requests.map(({ what, latency }) => [what, ms(latency.p50), ms(latency.p99), ms(latency.max)]),
      ],
      [1, 2, 3],
    ),
    "",
    `The check of the store took another ${checkSeconds.toFixed(1)} s`,
  ];
}

async function run(settings: Settings): Promise<number> {
  await using server = await TestServer.start();
  const empty = await startOnce(server);
  await server.stop();
  using progress = new Progress();
  progress.phase(`fills a cache with ${settings.finished + settings.unfinished} streams`);
  fillCache(server.cacheDir, settings);
  progress.phase("starts the server");
  const starts: Start[] = [];
  for (let count = 0; count < settings.starts; count++) starts.push(await startOnce(server));
  progress.phase("requests streams and lists");
  const during = await measureAll(settings, server, "during the check");
  const checkSeconds = await untilChecked(server);
  const after = await measureAll(settings, server, "after it");
  const { residentBytes } = await server.memory();
  progress[Symbol.dispose]();
  const figures = { empty, starts, requests: [...during, ...after], checkSeconds };
  process.stdout.write(`${report(settings, figures).join("\n")}\n`);
  await writeReport(settings, { ...figures, residentBytes });
  return 0;
}

await runBench(readSettings, run);
