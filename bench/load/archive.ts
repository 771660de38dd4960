/**
 * `bun run bench:archive`: what the archive costs uploads and reads, and how soon audio that is in the archive alone is
 * heard. The object store (versitygw) runs on the same processors, so the server's own processor time counts as well.
 */
import { cac } from "cac";
import { readFileSync } from "node:fs";
import { countOption, textOption } from "../../src/cli/kit/arguments.ts";
import { table } from "../../src/cli/kit/text.ts";
import { Bucket } from "../../src/store/archive/bucket.ts";
import { GiB, MiB } from "../../src/base/limits/units.ts";
import { Random } from "../../src/testing/harness/bytes.ts";
import { scrape } from "../../src/testing/harness/http/exposition.ts";
import { AudioCachePeer } from "../../src/testing/harness/peers/audio-cache.ts";
import { TestServer } from "../../src/testing/harness/server.ts";
import { ObjectStore } from "../../src/testing/harness/servers/object-store.ts";
import { until } from "../../src/testing/harness/until.ts";
import { readCommandLine, runBench, writeReport } from "./command.ts";
import { Latency, type Percentiles } from "./latency.ts";

interface Settings {
  rounds: number;
  streams: number;
  mebibytes: number;
  json: string | undefined;
}

interface Round {
  mebibytesPerSecond: number;
  /** Processor seconds of the server for each GiB, until the last upload is acknowledged. */
  uploadCost: number;
  /** Until everything is archived. */
  wholeCost: number;
}

/** Processor seconds of the server for each GiB. */
type ReadCosts = Record<"HTTP, local" | "audio protocol, local" | "HTTP, archived", number>;

const connections = 4;
/** Throughput of uploads with the archive, of that without. */
const targetRatio = 0.9;
const limitMs = 300_000;
const ticksPerSecond = 100;
/** Longer than the server takes to count its queue anew. */
const scrapeMs = 1_500;

function readSettings(args: string[]): Settings | undefined {
  const cli = cac("bun run bench:archive");
  cli
    .command("[...rest]", "Uploads with and without an archive")
    .usage(
      "[options]\n\nCompares uploads with and without an archive, and measures the first byte of archived audio.",
    )
    .option("--rounds <count>", "Rounds with and without it, in turns", { default: "5" })
    .option("--streams <count>", "Streams of a round", { default: "24" })
    .option("--mebibytes <count>", "Size of each", { default: "16" })
    .option("--json <file>", "Write all figures to this file");
  return readCommandLine(cli, args, (options) => ({
    rounds: countOption(options, "rounds", 1, 100),
    streams: countOption(options, "streams", 1, 10_000),
    mebibytes: countOption(options, "mebibytes", 1, 1024),
    json: textOption(options, "json"),
  }));
}

function processorSeconds({ pid }: TestServer): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Each stream has other audio: what the store has already costs nothing. */
async function uploadAll(
  server: TestServer,
  { streams, mebibytes }: Pick<Settings, "streams" | "mebibytes">,
  round: number,
): Promise<void> {
  const audio = new Random(round + 1).bytes(mebibytes * MiB);
  let next = 0;
  const work = async () => {
    using peer = await AudioCachePeer.open(server.url);
    for (let each = next++; each < streams; each = next++) {
      const own = audio.slice();
      new DataView(own.buffer).setUint32(0, round * streams + each);
      await peer.upload(`r${round}-${each}`, own);
    }
  };
  await Promise.all(Array.from({ length: connections }, work));
}

/** A scrape costs the server processor time, so they are few. */
async function untilArchived(server: TestServer): Promise<void> {
  await until("an empty queue", limitMs, async () => {
    await Bun.sleep(scrapeMs);
    const metrics = await scrape(server.httpBase);
    return (metrics?.sum("wavecache_archive_objects", { state: "queued" }) ?? 0) === 0;
  });
}

async function measure(server: TestServer, settings: Settings, round: number): Promise<Round> {
  const gibibytes = (settings.streams * settings.mebibytes * MiB) / GiB;
  const before = processorSeconds(server);
  const startedAt = performance.now();
  await uploadAll(server, settings, round);
  const seconds = (performance.now() - startedAt) / 1000;
  const uploadCost = (processorSeconds(server) - before) / gibibytes;
  await untilArchived(server);
  const wholeCost = (processorSeconds(server) - before) / gibibytes;
  return { mebibytesPerSecond: (gibibytes * GiB) / MiB / seconds, uploadCost, wholeCost };
}

/** Processor seconds of the server for each GiB that `read` reads. */
async function costOf(server: TestServer, gibibytes: number, read: () => Promise<void>): Promise<number> {
  const before = processorSeconds(server);
  await read();
  return (processorSeconds(server) - before) / gibibytes;
}

async function getAll(server: TestServer, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const response = await fetch(`${server.httpBase}/api/streams/${id}/audio`);
    if (response.status !== 200) throw new Error(`GET of ${id} answered ${response.status}`);
    for await (const _ of response.body!);
  }
}

const readStreams = 16;
const readMebibytes = 32;

/** Of audio that is here, and of the same once it is in the archive alone. */
async function readCosts(store: ObjectStore): Promise<ReadCosts> {
  await using server = await TestServer.start({ flags: store.directFlags, env: store.env });
  const round = 99;
  const gibibytes = (readStreams * readMebibytes * MiB) / GiB;
  const ids = Array.from({ length: readStreams }, (_, each) => `r${round}-${each}`);
  await uploadAll(server, { streams: readStreams, mebibytes: readMebibytes }, round);
  await untilArchived(server);
  const http = await costOf(server, gibibytes, () => getAll(server, ids));
  const protocol = await costOf(server, gibibytes, async () => {
    using peer = await AudioCachePeer.open(server.url);
    for (const id of ids) for (let at = 0; at < readMebibytes * MiB; at += MiB) await peer.read(id, at, MiB);
  });
  await server.restart({ flags: { ...store.directFlags, "archive-local-bytes": 1 }, env: store.env });
  await until("all to leave", limitMs, async () => {
    return (await scrape(server.httpBase))?.sum("wavecache_archive_evicted_objects_total") === readStreams;
  });
  const archived = await costOf(server, gibibytes, () => getAll(server, ids));
  return { "HTTP, local": http, "audio protocol, local": protocol, "HTTP, archived": archived };
}

function median(rounds: readonly Round[], figure: keyof Round): number {
  const sorted = rounds.map((round) => round[figure]).toSorted((one, other) => one - other);
  return sorted[sorted.length >> 1]!;
}

/** The first byte of audio that is in the archive alone, and the same request to the store itself. */
async function firstBytes(): Promise<{ server: Percentiles; store: Percentiles }> {
  await using store = await ObjectStore.start();
  await using server = await TestServer.start({
    flags: { ...store.flags, "archive-local-bytes": 1 },
    env: store.env,
  });
  using peer = await AudioCachePeer.open(server.url);
  const size = 64 * MiB;
  await peer.upload("long", new Random(1).bytes(size));
  await until("it to leave", limitMs, async () => {
    return (await scrape(server.httpBase))?.sum("wavecache_archive_evicted_objects_total") === 1;
  });
  const key = (await store.keys()).find((each) => each.startsWith("objects/"))!;
  const bucket = new Bucket(store.settings);
  const [byServer, byStore] = [new Latency(), new Latency()];
  for (let piece = 0; piece < 64; piece += 2) {
    let startedAt = performance.now();
    await peer.read("long", piece * MiB, 1);
    byServer.record(performance.now() - startedAt);
    startedAt = performance.now();
    await bucket.get(key, piece * MiB, MiB);
    byStore.record(performance.now() - startedAt);
  }
  return { server: byServer.percentiles(), store: byStore.percentiles() };
}

/** 1 if uploads with the archive are slower than the target. */
async function run(settings: Settings): Promise<number> {
  await using store = await ObjectStore.start();
  await using plain = await TestServer.start();
  await using archiving = await TestServer.start({ flags: store.directFlags, env: store.env });
  const rounds: { plain: Round[]; archiving: Round[] } = { plain: [], archiving: [] };
  for (let round = 0; round < settings.rounds; round += 1) {
    rounds.plain.push(await measure(plain, settings, round));
    rounds.archiving.push(await measure(archiving, settings, round));
  }
  const requests = (await scrape(archiving.httpBase))!.sum("wavecache_archive_requests_total")!;
  const requestsPerUpload = requests / (settings.rounds * settings.streams);
  const first = await firstBytes();
  const reads = await readCosts(store);
  const row = (name: string, of: Round[]) => [
    name,
    median(of, "mebibytesPerSecond").toFixed(1),
    median(of, "uploadCost").toFixed(2),
    median(of, "wholeCost").toFixed(2),
  ];
  const ratio = median(rounds.archiving, "mebibytesPerSecond") / median(rounds.plain, "mebibytesPerSecond");
  const lines = [
    ...table([
      ["UPLOADS", "MiB/s", "processor s/GiB", "until all is archived"],
      row("without an archive", rounds.plain),
      row("with one", rounds.archiving),
    ]),
    "",
    ...table([
      ["READS", "processor s/GiB"],
      ...Object.entries(reads).map(([what, cost]) => [what, cost.toFixed(2)]),
    ]),
    "",
    `throughput with the archive: ${ratio.toFixed(2)} of that without`,
    `requests to the store for each upload: ${requestsPerUpload.toFixed(2)}`,
    `first byte of archived audio: p50 ${first.server.p50.toFixed(1)} ms, p99 ${first.server.p99.toFixed(1)} ms`,
    `a piece from the store itself: p50 ${first.store.p50.toFixed(1)} ms, p99 ${first.store.p99.toFixed(1)} ms`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
  await writeReport(settings, { rounds, requestsPerUpload, reads, first });
  return ratio < targetRatio ? 1 : 0;
}

await runBench(readSettings, run);
