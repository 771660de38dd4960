/**
 * `bun run bench:retention`: how long reads and uploads take while retention removes many streams, compared with the same
 * server at rest. The two alternate, so that the machine's moods hit both: a reload begins and ends each removal.
 */
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cac } from "cac";
import { countOption, textOption } from "../../src/cli/kit/arguments.ts";
import { table } from "../../src/cli/kit/text.ts";
import { scrape } from "../../src/testing/harness/http/exposition.ts";
import { TestServer } from "../../src/testing/harness/server.ts";
import { readCommandLine, runBench, writeReport } from "./command.ts";
import { fillCache } from "../../src/testing/fixtures/filled-cache.ts";
import { Latency } from "./latency.ts";

interface Settings {
  streams: number;
  restSeconds: number;
  removingSeconds: number;
  json: string | undefined;
}

/** Of all turns of a kind. */
class Phase {
  readonly reads = new Latency();
  readonly uploads = new Latency();
  seconds = 0;
  removed = 0;
}

const maxStreams = 10_000_000;
const audio = new Uint8Array(256 * 1024);
/** Between two requests of one kind: the server is loaded, not saturated. */
const pauseMs = 5;
/** What is removed is older than this limit, and what the bench uploads is not. */
const limit = "1h";
const ageMs = 2 * 3_600_000;

function readSettings(args: string[]): Settings | undefined {
  const cli = cac("bun run bench:retention");
  cli
    .command("[...rest]", "Requests during a large removal")
    .usage("[options]\n\nMeasures reads and uploads while retention removes streams, and at rest.")
    .option("--streams <count>", "Streams to remove", { default: "100000" })
    .option("--rest-seconds <count>", "Duration of a turn at rest", { default: "5" })
    .option("--removing-seconds <count>", "Duration of a turn beside removals", { default: "15" })
    .option("--json <file>", "Write all figures to this file");
  return readCommandLine(cli, args, (options) => ({
    streams: countOption(options, "streams", 1, maxStreams),
    restSeconds: countOption(options, "rest-seconds", 1, 3600),
    removingSeconds: countOption(options, "removing-seconds", 1, 3600),
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

/** A server whose retention is turned on and off. */
class Bench {
  readonly #server: TestServer;
  readonly #file: string;
  #uploaded = 0;

  constructor(server: TestServer) {
    this.#server = server;
    this.#file = configFile(server);
  }

  /** Measures a turn: for so long, or until everything is removed. */
  async measure(phase: Phase, seconds: number, isOver: () => Promise<boolean>): Promise<void> {
    const [before, removedBefore] = [performance.now(), await removedBy(this.#server)];
    let hasEnded = false;
    const ended = until(before + seconds * 1000, isOver).finally(() => (hasEnded = true));
    await Promise.all([
      ended,
      repeat(
        () => hasEnded,
        phase.reads,
        () => fetch(this.#url("read")),
      ),
      repeat(
        () => hasEnded,
        phase.uploads,
        () => this.put(`put-${(this.#uploaded += 1)}`),
      ),
    ]);
    phase.seconds += (performance.now() - before) / 1000;
    phase.removed += (await removedBy(this.#server)) - removedBefore;
  }

  put(id: string): Promise<Response> {
    const body = audio.slice();
    crypto.getRandomValues(body.subarray(0, 16));
    return fetch(this.#url(id), { method: "PUT", body });
  }

  /** Resolves when the server keeps to this. */
  async retain(kept: string | undefined): Promise<void> {
    writeConfig(this.#file, kept);
    const response = await fetch(`${this.#server.httpBase}/api/admin/reload`, { method: "POST" });
    if (!response.ok) throw new Error(`status ${response.status}`);
  }

  #url(id: string): string {
    return `${this.#server.httpBase}/api/streams/${id}/audio`;
  }
}

function configFile(server: TestServer): string {
  return join(server.folder, "wavecache.toml");
}

function writeConfig(file: string, kept: string | undefined): void {
  const retention = kept === undefined ? "" : `[retention]\nkeep-streams = "${kept}"\n`;
  writeFileSync(`${file}.new`, `[cache]\nscrub-days = "off"\n${retention}`);
  renameSync(`${file}.new`, file);
}

async function until(endMs: number, isOver: () => Promise<boolean>): Promise<void> {
  while (performance.now() < endMs && !(await isOver())) await Bun.sleep(250);
}

async function untilChecked(server: TestServer): Promise<void> {
  while ((await scrape(server.httpBase))?.sum("wavecache_check_running") !== 0) await Bun.sleep(250);
}

const ms = (value: number) => value.toFixed(1);

function row(name: string, { seconds, removed, reads, uploads }: Phase): string[] {
  const [read, put] = [reads.percentiles(), uploads.percentiles()];
  const figures = [read.p50, read.p99, read.max, put.p50, put.p99, put.max].map(ms);
  return [name, seconds.toFixed(1), String(removed), ...figures];
}

function ratios(rest: Phase, removing: Phase): string[] {
  const of = (latency: (phase: Phase) => Latency) => {
    const [before, after] = [latency(rest).percentiles(), latency(removing).percentiles()];
    return [after.p50 / before.p50, after.p99 / before.p99, after.max / before.max];
  };
  const values = [...of(({ reads }) => reads), ...of(({ uploads }) => uploads)];
  return ["ratio", "", "", ...values.map((value) => value.toFixed(2))];
}

async function filledServer(streams: number): Promise<TestServer> {
  const server = await TestServer.start({ flags: { "log-level": "info" } });
  await server.stop();
  fillCache(server.cacheDir, { finished: streams, unfinished: 0, ageMs });
  writeConfig(configFile(server), undefined);
  await server.restart({ flags: { "log-level": "info", config: configFile(server) } });
  await untilChecked(server);
  return server;
}

async function run({ streams, restSeconds, removingSeconds, json }: Settings): Promise<number> {
  await using server = await filledServer(streams);
  const bench = new Bench(server);
  await bench.put("read");
  const [rest, removing] = [new Phase(), new Phase()];
  const isDone = async () => (await removedBy(server)) >= streams;
  while (!(await isDone())) {
    await bench.measure(rest, restSeconds, () => Promise.resolve(false));
    await bench.retain(limit);
    await bench.measure(removing, removingSeconds, isDone);
    await bench.retain(undefined);
  }
  const head = ["", "s", "removed", "read p50", "p99", "max ms", "PUT p50", "p99", "max ms"];
  const lines = [head, row("rest", rest), row("removing", removing), ratios(rest, removing)];
  process.stdout.write(`${table(lines, [1, 2, 3, 4, 5, 6, 7, 8]).join("\n")}\n`);
  const figures = ({ seconds, removed, reads, uploads }: Phase) => ({
    seconds,
    removed,
    reads: reads.percentiles(),
    uploads: uploads.percentiles(),
  });
  await writeReport({ json }, { rest: figures(rest), removing: figures(removing) });
  return 0;
}

await runBench(readSettings, run);
