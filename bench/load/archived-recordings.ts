/**
 * `bun run bench:archived-recordings`: what a segment costs in requests to the object store and in processor time, and how
 * soon samples that are in the archive alone are heard. The object store (versitygw) runs on the same processors.
 */
import { cac } from "cac";
import { readFileSync } from "node:fs";
import { countOption, textOption } from "../../src/cli/kit/arguments.ts";
import { table } from "../../src/cli/kit/text.ts";
import { MiB } from "../../src/base/limits/units.ts";
import { Bucket } from "../../src/store/archive/bucket.ts";
import { scrape } from "../../src/testing/harness/http/exposition.ts";
import { allRecordings } from "../../src/testing/harness/http/recordings.ts";
import { pcmFormat } from "../../src/testing/harness/peers/ingest-device.ts";
import { recordCounting } from "../../src/testing/harness/recorded-audio.ts";
import { TestServer } from "../../src/testing/harness/server.ts";
import { ObjectStore } from "../../src/testing/harness/servers/object-store.ts";
import { until } from "../../src/testing/harness/until.ts";
import { readCommandLine, runBench, writeReport } from "./command.ts";
import { Latency, type Percentiles } from "./latency.ts";

interface Settings {
  segments: number;
  json: string | undefined;
}

interface Kind {
  name: string;
  /** Of a segment. */
  frames: number;
}

interface Figures {
  bytes: number;
  requestsPerSegment: number;
  processorMsPerSegment: number;
  /** Of samples that are in the archive alone. */
  firstByte: Percentiles;
  /** The same first piece from the store itself. */
  store: Percentiles;
}

const kinds: Kind[] = [
  { name: "10 s at 16 kHz", frames: 500 },
  { name: "60 s at 16 kHz", frames: 3_000 },
];
const limitMs = 120_000;
const ticksPerSecond = 100;

function readSettings(args: string[]): Settings | undefined {
  const cli = cac("bun run bench:archived-recordings");
  cli
    .command("[...rest]", "Recordings in the archive")
    .usage("[options]\n\nMeasures what segments cost with an archive, and the first byte of evicted ones.")
    .option("--segments <count>", "Segments of each kind", { default: "20" })
    .option("--json <file>", "Write all figures to this file");
  return readCommandLine(cli, args, (options) => ({
    segments: countOption(options, "segments", 1, 10_000),
    json: textOption(options, "json"),
  }));
}

function processorMs({ pid }: TestServer): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond;
}

async function untilState(server: TestServer, state: string, count: number): Promise<void> {
  await until(`${count} recordings to be ${state}`, limitMs, async () => {
    return (await scrape(server.httpBase))?.sum("wavecache_archive_recordings", { state }) === count;
  });
}

async function measure({ frames }: Kind, segments: number): Promise<Figures> {
  await using store = await ObjectStore.start();
  const flags = { ...store.directFlags, "sync-seconds": 1, "rotate-seconds": 3600 };
  await using server = await TestServer.start({ flags, env: store.env });
  const before = processorMs(server);
  for (let segment = 0; segment < segments; segment += 1)
    await recordCounting(server, `mic${segment}`, frames, pcmFormat);
  await untilState(server, "local", segments);
  const spentMs = processorMs(server) - before;
  const requests = (await scrape(server.httpBase))!.sum("wavecache_archive_requests_total", {
    operation: "put",
  })!;
  await server.restart({ flags: { ...flags, "archive-local-bytes": 1 }, env: store.env });
  await untilState(server, "archived", segments);
  return {
    bytes: (await allRecordings(server.httpBase))[0]!.wav.bytes,
    requestsPerSegment: requests / segments,
    processorMsPerSegment: spentMs / segments,
    ...(await firstBytes(server, store)),
  };
}

/** Each recording is read for the first time. */
async function firstBytes(
  server: TestServer,
  store: ObjectStore,
): Promise<Pick<Figures, "firstByte" | "store">> {
  const bucket = new Bucket({ ...store.settings, endpoint: store.directFlags["archive-endpoint"]! });
  const keys = (await store.keys()).filter((key) => key.endsWith(".wav"));
  const [byServer, byStore] = [new Latency(), new Latency()];
  for (const [index, { id, wav }] of (await allRecordings(server.httpBase)).entries()) {
    let startedAt = performance.now();
    const response = await fetch(`${server.httpBase}/api/recordings/${id}/audio`);
    await response.body!.getReader().read();
    byServer.record(performance.now() - startedAt);
    startedAt = performance.now();
    await bucket.get(keys[index]!, 0, Math.min(MiB, wav.bytes));
    byStore.record(performance.now() - startedAt);
  }
  return { firstByte: byServer.percentiles(), store: byStore.percentiles() };
}

function ms({ p50, p99 }: Percentiles): string {
  return `${p50.toFixed(1)}, ${p99.toFixed(1)}`;
}

async function run(settings: Settings): Promise<number> {
  const measured: Record<string, Figures> = {};
  for (const kind of kinds) measured[kind.name] = await measure(kind, settings.segments);
  const rows = Object.entries(measured).map(([name, each]) => [
    name,
    (each.bytes / MiB).toFixed(2),
    each.requestsPerSegment.toFixed(2),
    each.processorMsPerSegment.toFixed(0),
    ms(each.firstByte),
    ms(each.store),
  ]);
  const head = ["SEGMENT", "MiB", "PUT", "processor ms", "first byte, p50 and p99 ms", "of the store itself"];
  process.stdout.write(`${table([head, ...rows]).join("\n")}\n`);
  await writeReport(settings, measured);
  return 0;
}

await runBench(readSettings, run);
