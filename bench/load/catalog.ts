/**
 * `bun run bench:catalog`: a catalog with many streams. Prints how long its calls take, as the keeper sees them, how many
 * bytes a stream takes, and how a server starts on it. PostgreSQL is a temporary server with its own settings, apart from
 * what docs/cluster.md asks of operators; it syncs nothing while it is filled, and everything afterwards.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cac } from "cac";
import { usageError } from "../../src/cli/kit/failures.ts";
import { countOption, textOption } from "../../src/cli/kit/arguments.ts";
import { humanBytes, table } from "../../src/cli/kit/text.ts";
import { PostgresCatalog } from "../../src/store/postgres/catalog.ts";
import { PostgresDatabase } from "../../src/store/postgres/database.ts";
import { CacheLayout } from "../../src/store/layout.ts";
import type { SqlCatalog } from "../../src/store/streams/sql/catalog.ts";
import { SqliteCatalog } from "../../src/store/streams/sqlite/catalog.ts";
import { temporaryFolder } from "../../src/testing/fixtures/temporary-folder.ts";
import { TestServer } from "../../src/testing/harness/server.ts";
import { PostgresServer } from "../../src/testing/harness/servers/postgres.ts";
import { type Call, idOf, listsOf, lookupsOf, writesOf } from "./catalog-calls.ts";
import { fillPostgres } from "./catalog-fill.ts";
import { readCommandLine, runBench, writeReport } from "./command.ts";
import { Latency, type Percentiles } from "./latency.ts";
import { fillCatalog } from "./many-streams.ts";
import { Progress } from "./progress.ts";

interface Settings {
  engine: "postgres" | "sqlite";
  streams: number;
  calls: number;
  json: string | undefined;
}

interface Row {
  kind: string;
  call: string;
  ms: Percentiles;
}

interface Start {
  readyMs: number;
  residentBytes: number;
  /** Of a lookup over HTTP while the check runs. */
  lookup: Percentiles;
}

interface Figures {
  rows: Row[];
  bytesPerStream: number;
  /** Of a node that has all streams, and of one that has none. */
  starts: Record<string, Start>;
}

/** Each call is measured for this long at most. */
const callLimitMs = 10_000;
const warmUpCalls = 20;
const limitsMs: Record<string, number> = { lookup: 5, list: 50 };
const node = "bench";

function readSettings(args: string[]): Settings | undefined {
  const cli = cac("bun run bench:catalog");
  cli
    .command("[...rest]", "Look up, list and change streams of a large catalog")
    .usage("[options]\n\nThe streams have names and tags, and no audio.")
    .option("--engine <name>", "postgres or sqlite", { default: "postgres" })
    .option("--streams <count>", "Finished streams", { default: "1000000" })
    .option("--calls <count>", "Calls of each kind, for up to 10 s", { default: "500" })
    .option("--json <file>", "Write all figures to this file");
  return readCommandLine(cli, args, (options) => ({
    engine: engineOption(textOption(options, "engine")),
    streams: countOption(options, "streams", 1, 100_000_000),
    calls: countOption(options, "calls", 1, 1_000_000),
    json: textOption(options, "json"),
  }));
}

function engineOption(name: string | undefined): Settings["engine"] {
  if (name === "postgres" || name === "sqlite") return name;
  throw usageError(`--engine is neither postgres nor sqlite: "${name}"`);
}

function time(call: Call, { streams, calls }: Settings): Percentiles {
  const latency = new Latency();
  const any = () => Math.floor(Math.random() * streams);
  const deadline = performance.now() + callLimitMs;
  // Each statement is prepared at its first use.
  for (let index = 0; index < warmUpCalls; index += 1) call(any());
  for (let index = 0; index < calls && performance.now() < deadline; index += 1) {
    const startedAt = performance.now();
    call(any());
    latency.record(performance.now() - startedAt);
  }
  return latency.percentiles();
}

function measure(catalog: SqlCatalog, settings: Settings, progress: Progress): Row[] {
  const kinds = { lookup: lookupsOf(catalog), list: listsOf(catalog), write: writesOf(catalog) };
  return Object.entries(kinds).flatMap(([kind, calls]) =>
    Object.entries(calls).map(([call, run]) => {
      progress.phase(call);
      return { kind, call, ms: time(run, settings) };
    }),
  );
}

async function startOn(flags: Record<string, string>, id: string, settings: Settings): Promise<Start> {
  await using server = await TestServer.start({ flags });
  await server.stop();
  writeFileSync(join(server.cacheDir, "node"), `${id}\n`);
  const before = performance.now();
  await server.restart();
  const readyMs = performance.now() - before;
  const lookup = new Latency();
  for (let index = 0; index < settings.calls; index += 1) {
    const startedAt = performance.now();
    await fetch(`${server.httpBase}/api/streams/${idOf(Math.floor(Math.random() * settings.streams))}`);
    lookup.record(performance.now() - startedAt);
  }
  const { residentBytes } = await server.memory();
  return { readyMs, residentBytes, lookup: lookup.percentiles() };
}

async function onPostgres(settings: Settings, progress: Progress): Promise<Figures> {
  using server = PostgresServer.start();
  const url = server.createSchema();
  new PostgresCatalog({ url, node }).close();
  const filling = new PostgresDatabase({ url, node }, () => {});
  fillPostgres(filling, settings.streams, node, (step) => progress.phase(step));
  const size = filling.prepare<{ bytes: number }, []>(
    "SELECT pg_total_relation_size('streams') + pg_total_relation_size('search_texts') AS bytes",
  );
  const bytesPerStream = size.get()!.bytes / settings.streams;
  filling.close();
  await server.stop();
  server.resume("durable");
  const catalog = new PostgresCatalog({ url, node });
  const rows = measure(catalog, settings, progress);
  catalog.close();
  progress.phase("starts servers");
  const starts = {
    "that has all streams": await startOn({ catalog: url }, node, settings),
    "that has none": await startOn({ catalog: url }, "another", settings),
  };
  return { rows, bytesPerStream, starts };
}

function onSqlite(settings: Settings, progress: Progress): Figures {
  using folder = temporaryFolder();
  mkdirSync(folder.path, { recursive: true });
  progress.phase("enters the streams");
  fillCatalog(folder.path, settings.streams);
  const path = new CacheLayout(folder.path).catalog;
  const bytesPerStream = Bun.file(path).size / settings.streams;
  const catalog = new SqliteCatalog(path);
  const rows = measure(catalog, settings, progress);
  catalog.close();
  return { rows, bytesPerStream, starts: {} };
}

const ms = (value: number) => value.toFixed(2);

function report(settings: Settings, { rows, bytesPerStream, starts }: Figures): string[] {
  const calls = rows.map((row) => {
    const { kind, call, ms: time } = row;
    return [kind, call, ms(time.p50), ms(time.p99), ms(time.max), isSlow(row) ? "slow" : ""];
  });
  const started = Object.entries(starts).map(([who, { readyMs, residentBytes, lookup }]) => {
    return [who, readyMs.toFixed(0), humanBytes(residentBytes), ms(lookup.p50), ms(lookup.p99)];
  });
  return [
    `${settings.streams} streams, ${settings.engine}: ${bytesPerStream.toFixed(0)} bytes for each with its indexes`,
    "",
    ...table([["", "CALL, ms", "p50", "p99", "max", ""], ...calls], [2, 3, 4]),
    ...(started.length === 0 ? [] : [""]),
    ...(started.length === 0
      ? []
      : table([["A NODE", "ready after ms", "resident", "lookup p50 ms", "p99"], ...started], [1, 2, 3, 4])),
  ];
}

function isSlow({ kind, ms: { p99 } }: Row): boolean {
  return p99 > (limitsMs[kind] ?? Number.POSITIVE_INFINITY);
}

/** 1 if a call is slower than its limit. */
async function run(settings: Settings): Promise<number> {
  const progress = new Progress();
  const isPostgres = settings.engine === "postgres";
  const figures = isPostgres ? await onPostgres(settings, progress) : onSqlite(settings, progress);
  progress[Symbol.dispose]();
  process.stdout.write(`${report(settings, figures).join("\n")}\n`);
  await writeReport(settings, { ...figures });
  return figures.rows.some(isSlow) ? 1 : 0;
}

await runBench(readSettings, run);
