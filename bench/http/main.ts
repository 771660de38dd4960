/**
 * `bun run bench:http-audio`: whole files over plain HTTP. Downloads beside nginx's sendfile and a bare `Bun.file`;
 * uploads by PUT and over tus, hashed and durable, beside the audio cache's WebSocket and tusd, which neither hashes nor
 * syncs. All alternate in each round, and the ratios are of one round. Then the time to the first byte of a short range,
 * beside full load over WebSockets. Exit status 1 if a transfer fails.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cac } from "cac";
import { GiB, MiB } from "../../src/base/limits/units.ts";
import { countOption, requiredText, textOption } from "../../src/cli/kit/arguments.ts";
import { table } from "../../src/cli/kit/text.ts";
import { readConfig } from "../../src/config/config.ts";
import { readCommandLine, runBench, writeReport } from "../load/command.ts";
import type { Percentiles } from "../load/latency.ts";
import { openSubject, type Subject } from "../load/server.ts";
import { measureFirstBytes } from "./first-byte.ts";
import { downloadTurns, type Figures, type TurnSettings, uploadTurns } from "./turns.ts";
import { openBareFiles, openNginx, openTusd } from "./rivals.ts";

interface Settings extends TurnSettings {
  tusd: string;
  json: string | undefined;
}

function readSettings(args: string[]): Settings | undefined {
  const cli = cac("bun run bench:http-audio");
  cli
    .command("[...rest]", "Load the HTTP routes of audio")
    .usage("[options]\n\nSends and takes whole files over plain HTTP, beside other servers.")
    .option("--transfers <count>", "Transfers at once", { default: "8" })
    .option("--megabytes <count>", "MiB of each transfer", { default: "64" })
    .option("--rounds <count>", "Rounds; the median counts", { default: "5" })
    .option("--tusd <program>", "tusd, to compare with if it is installed", { default: "tusd" })
    .option("--json <file>", "Write all figures to this file");
  return readCommandLine(cli, args, (options) => ({
    transfers: countOption(options, "transfers", 1, 100),
    bytes: countOption(options, "megabytes", 1, 1024) * MiB,
    rounds: countOption(options, "rounds", 1, 100),
    tusd: requiredText(options, "tusd"),
    json: textOption(options, "json"),
  }));
}

async function run(settings: Settings): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "wavecache-bench-"));
  try {
    await using subject = await openSubject({
      server: undefined,
      workers: readConfig([], {})!.workers,
      maxCacheBytes: 64 * GiB,
      maxConnections: 1000,
    });
    const downloads = await measureDownloads(subject, folder, settings);
    report("Downloads", downloads);
    const uploads = await measureUploads(subject, folder, settings);
    report("Uploads", uploads);
    const firstByte = await measureFirstBytes(subject);
    reportFirstByte(firstByte);
    await writeReport(settings, { downloads, uploads, firstByte });
    return 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measureDownloads(subject: Subject, folder: string, settings: Settings): Promise<Figures[]> {
  await using nginx = await openNginx(folder);
  await using bare = await openBareFiles(folder);
  const rivals = [nginx, bare].filter((rival) => rival !== undefined);
  return await downloadTurns(subject, rivals, folder, settings);
}

async function measureUploads(subject: Subject, folder: string, settings: Settings): Promise<Figures[]> {
  await using tusd = await openTusd(join(folder, "tusd"), settings.tusd);
  return await uploadTurns(subject, tusd, settings);
}

function report(title: string, figures: Figures[]): void {
  const rows = figures.map(({ name, mbPerSecond, cpuSecondsPerGiB, firstOfThis }) => [
    name,
    mbPerSecond.median.toFixed(0),
    `${mbPerSecond.min.toFixed(0)} to ${mbPerSecond.max.toFixed(0)}`,
    cpuSecondsPerGiB?.toFixed(2) ?? "-",
    firstOfThis.median.toFixed(2),
  ]);
  const head = [title, "MB/s", "range", "processor s/GiB", "first row / this"];
  process.stdout.write(`${table([head, ...rows], [1, 2, 3, 4]).join("\n")}\n\n`);
}

function reportFirstByte({ count, p50, p99, max }: Percentiles): void {
  const figures = `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, max ${max.toFixed(1)} ms`;
  process.stdout.write(`First byte beside full load over WebSockets: ${figures} (${count} requests)\n`);
}

await runBench(readSettings, run);
