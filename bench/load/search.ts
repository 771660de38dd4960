/**
 * `bun run bench:search`: searches and sorts the streams of a large cache over HTTP. Prints how long that takes, page by
 * page, and how long the catalog takes to enter a stream.
 */
import { cac } from "cac";
import { countOption, textOption } from "../../src/cli/kit/arguments.ts";
import { table } from "../../src/cli/kit/text.ts";
import { TestServer } from "../../src/testing/harness/server.ts";
import { readCommandLine, runBench, writeReport } from "./command.ts";
import { Latency, type Percentiles } from "./latency.ts";
import { fillCatalog } from "./many-streams.ts";

interface Settings {
  streams: number;
  requests: number;
  json: string | undefined;
}

function readSettings(args: string[]): Settings | undefined {
  const cli = cac("bun run bench:search");
  cli
    .command("[...rest]", "Search a large cache")
    .usage("[options]\n\nSearches a cache of streams that have names and tags, and no audio.")
    .option("--streams <count>", "Finished streams", { default: "100000" })
    .option("--requests <count>", "Requests of each kind", { default: "50" })
    .option("--json <file>", "Write all figures to this file");
  return readCommandLine(cli, args, (options) => ({
    streams: countOption(options, "streams", 1, 10_000_000),
    requests: countOption(options, "requests", 1, 1_000_000),
    json: textOption(options, "json"),
  }));
}

const searches: Record<string, string> = {
  "every stream": "",
  "a word that every stream has": "&q=common",
  "the beginning of a word that every stream has": "&q=so",
  "one letter": "&q=s",
  "beginnings of words that a third has": "&q=artist%207",
  "beginnings of words that 1 in 30 has": "&q=number%2077",
  "no such word": "&q=nothing",
  "a tag that 1 in 1,000 has": "&tag.artist=artist%207",
  "a type that every stream has": "&type=audio/mpeg",
  "a word, a type and a state": "&q=common&type=audio/mpeg&state=finished",
  "the last tenth of the time": `&from=${1_700_000_000_000 + 90_000_000}`,
};

const sorts = [
  "id",
  "-id",
  "created",
  "-created",
  "title",
  "-title",
  "size",
  "-size",
  "duration",
  "-duration",
];

interface Figure {
  what: string;
  /** The order that took longest. */
  sort: string;
  total: number;
  latency: Percentiles;
}

/** Measures each order: the first page, and one behind it. */
async function measure(settings: Settings, base: string, what: string): Promise<Figure> {
  const figures: Figure[] = [];
  for (const sort of sorts) {
    const latency = new Latency();
    const url = `${base}/api/streams?limit=100&sort=${sort}${searches[what]}`;
    let page: { next: string | null; total: number } = { next: null, total: 0 };
    for (let count = 0; count < settings.requests; count++) {
      const after = page.next === null ? "" : `&after=${page.next}`;
      const before = performance.now();
      const response = await fetch(url + after);
      page = (await response.json()) as typeof page;
      latency.record(performance.now() - before);
      if (response.status !== 200) throw new Error(`${url} answered ${response.status}`);
    }
    figures.push({ what, sort, total: page.total, latency: latency.percentiles() });
  }
  return figures.toSorted((one, other) => other.latency.p50 - one.latency.p50)[0]!;
}

async function run(settings: Settings): Promise<number> {
  await using server = await TestServer.start();
  await server.stop();
  const fillMs = fillCatalog(server.cacheDir, settings.streams);
  await server.restart();
  const figures: Figure[] = [];
  for (const what of Object.keys(searches)) figures.push(await measure(settings, server.httpBase, what));
  const rows = figures.map(({ what, sort, total, latency }) => [
    what,
    sort,
    String(total),
    ...[latency.p50, latency.p99, latency.max].map((value) => value.toFixed(1)),
  ]);
  const lines = table([["SEARCH, ms", "slowest order", "total", "p50", "p99", "max"], ...rows], [2, 3, 4, 5]);
  process.stdout.write(`${lines.join("\n")}\n\n${(fillMs * 1000).toFixed(0)} us to enter a stream\n`);
  await writeReport(settings, { figures, fillMs });
  return 0;
}

await runBench(readSettings, run);
