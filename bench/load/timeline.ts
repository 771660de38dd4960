/**
 * `bun run bench:timeline`: the audio of a day of a device by time, beside plain reads of the same files. A first request
 * verifies each file; the next ones find them verified. Exit status 1 if an answer has the wrong length.
 */
import * as fs from "node:fs";
import { dirname, join } from "node:path";
import { cac } from "cac";
import { KiB, MiB } from "../../src/base/limits/units.ts";
import { countOption, textOption } from "../../src/cli/kit/arguments.ts";
import { table } from "../../src/cli/kit/text.ts";
import { encodeWavHeader, wavHeaderBytes } from "../../src/codec/wav/wav.ts";
import { SqliteCatalog } from "../../src/store/streams/sqlite/catalog.ts";
import { TestServer } from "../../src/testing/harness/server.ts";
import { readCommandLine, runBench, writeReport } from "./command.ts";
import {
  dataBytes,
  device,
  sampleRate,
  segmentEntry,
  segmentName,
  segmentSeconds,
  startMs,
  wavOf,
} from "./recorded-segments.ts";

interface Settings {
  hours: number;
  rounds: number;
  json: string | undefined;
}

interface Round {
  name: string;
  seconds: number;
  /** How far the memory of the server rose above that at rest. */
  grownBytes: number;
}

function readSettings(args: string[]): Settings | undefined {
  const cli = cac("bun run bench:timeline");
  cli
    .command("[...rest]", "Read a period")
    .usage("[options]\n\nReads the audio of a period over HTTP, and the same files without a server.")
    .option("--hours <count>", "Length of the period", { default: "24" })
    .option("--rounds <count>", "Turns after the first", { default: "3" })
    .option("--json <file>", "Write all figures to this file");
  return readCommandLine(cli, args, (options) => ({
    hours: countOption(options, "hours", 1, 24 * 31),
    rounds: countOption(options, "rounds", 1, 100),
    json: textOption(options, "json"),
  }));
}

/** Records segments that follow each other, each of other samples. */
function record(server: TestServer, segments: number): string[] {
  const catalog = new SqliteCatalog(join(server.cacheDir, "catalog.db"));
  const folder = join(server.folder, "received");
  const wav = new Uint8Array(wavHeaderBytes + dataBytes);
  crypto.getRandomValues(wav.subarray(wavHeaderBytes, wavHeaderBytes + 64 * KiB));
  wav.set(encodeWavHeader(sampleRate, 1, dataBytes));
  const paths: string[] = [];
  fs.mkdirSync(dirname(join(folder, segmentName(0))), { recursive: true });
  catalog.transaction(() => {
    for (let index = 0; index < segments; index++) {
      new DataView(wav.buffer).setUint32(wavHeaderBytes, index, true);
      const path = join(folder, segmentName(index));
      fs.writeFileSync(`${path}.wav`, wav);
      fs.writeFileSync(`${path}.bin`, "");
      paths.push(`${path}.wav`);
      catalog.recordings.enter(segmentEntry(index, wavOf(wav)));
    }
  }, true);
  catalog.close();
  return paths;
}

function memoryOf({ pid }: TestServer): number {
  const status = fs.readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) * KiB;
}

/** `act` alone, with the growth of the server's memory meanwhile. */
async function measure(name: string, server: TestServer, act: () => Promise<void> | void): Promise<Round> {
  const rest = memoryOf(server);
  let peak = rest;
  const watch = setInterval(() => (peak = Math.max(peak, memoryOf(server))), 50);
  const before = performance.now();
  await act();
  const seconds = (performance.now() - before) / 1000;
  clearInterval(watch);
  return { name, seconds, grownBytes: Math.max(peak, memoryOf(server)) - rest };
}

function readPlainly(paths: readonly string[]): void {
  const block = new Uint8Array(512 * KiB);
  for (const path of paths) {
    const file = fs.openSync(path, "r");
    while (fs.readSync(file, block) > 0);
    fs.closeSync(file);
  }
}

/** By curl, so that the bench takes no part of it. */
async function readByTime(server: TestServer, segments: number): Promise<void> {
  const period = `from=${startMs}&to=${startMs + segments * segmentSeconds * 1000}`;
  const url = `${server.httpBase}/api/recordings/${device}/audio?${period}`;
  const curl = Bun.spawn(["curl", "-sf", "-o", "/dev/null", "-w", "%{size_download}", url]);
  const size = Number(await new Response(curl.stdout).text());
  if (size !== wavHeaderBytes + segments * dataBytes) throw new Error(`the answer has ${size} bytes`);
}

function row({ name, seconds, grownBytes }: Round, megabytes: number, plainSeconds: number): string[] {
  const figures = [seconds, megabytes / seconds, plainSeconds / seconds].map((value) => value.toFixed(2));
  return [name, ...figures, (grownBytes / MiB).toFixed(1)];
}

async function run(settings: Settings): Promise<number> {
  const segments = (settings.hours * 3600) / segmentSeconds;
  await using server = await TestServer.start();
  await server.stop();
  const paths = record(server, segments);
  await server.restart();
  readPlainly(paths);
  const rounds: Round[] = [];
  for (let turn = 0; turn <= settings.rounds; turn++) {
    rounds.push(await measure("plain reads", server, () => readPlainly(paths)));
    const name = turn === 0 ? "by time, first" : "by time, again";
    rounds.push(await measure(name, server, () => readByTime(server, segments)));
  }
  const plain = rounds.filter(({ name }) => name === "plain reads").map(({ seconds }) => seconds);
  const plainSeconds = plain.toSorted((a, b) => a - b)[plain.length >> 1]!;
  const megabytes = (segments * dataBytes) / 1e6;
  const head = ["", "s", "MB/s", "of plain", "memory MiB"];
  const rows = rounds.map((round) => row(round, megabytes, plainSeconds));
  process.stdout.write(`${table([head, ...rows], [1, 2, 3, 4]).join("\n")}\n`);
  await writeReport(settings, { rounds });
  return 0;
}

await runBench(readSettings, run);
