/** `bun run bench:cluster`: what several servers with one NATS add to live audio. */
import { cac } from "cac";
import { countOption, textOption } from "../../src/cli/kit/arguments.ts";
import { table } from "../../src/cli/kit/text.ts";
import type { Percentiles } from "../load/latency.ts";
import { readCommandLine, runBench, writeReport } from "../load/command.ts";
import { type LiveSettings, measureLive } from "./live.ts";

type Settings = LiveSettings & { json: string | undefined };

function readSettings(args: string[]): Settings | undefined {
  const cli = cac("bun run bench:cluster");
  cli
    .command("[...rest]", "Listen at several servers")
    .usage("[options]\n\nStarts NATS and several servers. One has a device, and all have listeners to it.")
    .option("--nodes <count>", "Servers", { default: "3" })
    .option("--listeners <count>", "Listeners at all servers together", { default: "1000" })
    .option("--seconds <count>", "How long to listen", { default: "10" })
    .option("--json <file>", "Write all figures to this file");
  return readCommandLine(cli, args, (options) => ({
    nodes: countOption(options, "nodes", 2, 16),
    listeners: countOption(options, "listeners", 2, 100_000),
    seconds: countOption(options, "seconds", 1, 3_600),
    json: textOption(options, "json"),
  }));
}

function row(name: string, { count, p50, p99, max }: Percentiles): string[] {
  return [name, String(count), ...[p50, p99, max].map((ms) => ms.toFixed(1))];
}

async function run(settings: Settings): Promise<number> {
  const { own, others, processorShare } = await measureLive(settings);
  const head = ["listeners", "messages", "p50 ms", "p99 ms", "max ms"];
  const rows = [head, row("of the device's server", own), row("of the other servers", others)];
  process.stdout.write(`${table(rows, [1, 2, 3, 4]).join("\n")}\n`);
  const shares = Object.entries(processorShare).map(([name, share]) => `${name} ${share.toFixed(3)}`);
  process.stdout.write(`processor seconds a second: ${shares.join(", ")}\n`);
  await writeReport(settings, { own, others, processorShare });
  return 0;
}

await runBench(readSettings, run);
