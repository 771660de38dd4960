/**
 * `bun run bench:page`: the page in Chromium. Prints how long it takes until many streams and a day of a device are on
 * screen, what open pages cost the server, and how far behind the microphone live audio is.
 */
import { loadavg } from "node:os";
import { cac } from "cac";
import { countOption, textOption } from "../../src/cli/kit/arguments.ts";
import { usageError } from "../../src/cli/kit/failures.ts";
import { table } from "../../src/cli/kit/text.ts";
import { readCommandLine, runBench, writeReport } from "../load/command.ts";
import type { Percentiles } from "../load/latency.ts";
import { measureCrowd } from "./crowd.ts";
import { measureDay } from "./day.ts";
import { measureLatency } from "./latency.ts";
import { measureSearch } from "./search.ts";

interface Settings {
  only: string | undefined;
  streams: number;
  hours: number;
  rounds: number;
  pages: number;
  devices: number;
  seconds: number;
  sounds: number;
  json: string | undefined;
}

const MB = 1_000_000;

const parts: Record<string, (settings: Settings) => Promise<unknown>> = { search, day, crowd, latency };

function readSettings(args: string[]): Settings | undefined {
  const cli = cac("bun run bench:page");
  cli
    .command("[...rest]", "Open and use the page")
    .usage("[options]\n\nNeeds Chromium. The streams have names and tags, and no audio.")
    .option("--only <part>", `One of ${Object.keys(parts).join(", ")}; else all`)
    .option("--streams <count>", "Finished streams", { default: "100000" })
    .option("--hours <count>", "Length of a recording", { default: "24" })
    .option("--rounds <count>", "Times that the page is opened, and each text is typed", { default: "5" })
    .option("--pages <count>", "Open pages", { default: "20" })
    .option("--devices <count>", "Devices that send", { default: "100" })
    .option("--seconds <count>", "How long processor time is measured, with pages and without", {
      default: "30",
    })
    .option("--sounds <count>", "Sounds to hear live", { default: "100" })
    .option("--json <file>", "Write all figures to this file");
  return readCommandLine(cli, args, (options) => ({
    only: partOption(textOption(options, "only")),
    streams: countOption(options, "streams", 1, 10_000_000),
    hours: countOption(options, "hours", 1, 24),
    rounds: countOption(options, "rounds", 1, 1_000),
    pages: countOption(options, "pages", 1, 100),
    devices: countOption(options, "devices", 1, 1_000),
    seconds: countOption(options, "seconds", 1, 600),
    sounds: countOption(options, "sounds", 1, 10_000),
    json: textOption(options, "json"),
  }));
}

function partOption(name: string | undefined): string | undefined {
  if (name === undefined || Object.hasOwn(parts, name)) return name;
  throw usageError(`--only is one of ${Object.keys(parts).join(", ")}, not "${name}"`);
}

async function run(settings: Settings): Promise<number> {
  const figures: Record<string, unknown> = {};
  for (const [name, measure] of Object.entries(parts)) {
    if (settings.only !== undefined && settings.only !== name) continue;
    figures[name] = await measure(settings);
    process.stdout.write(`load of the machine: ${loadavg()[0]!.toFixed(1)}\n\n`);
  }
  await writeReport(settings, figures);
  return 0;
}

async function search(settings: Settings): Promise<unknown> {
  const figures = await measureSearch(settings);
  print([row("open the streams", figures.opened), row("a key of a search", figures.keys)]);
  process.stdout.write(`${figures.firstMs.toFixed(0)} ms the first time, ${settings.streams} streams\n`);
  return figures;
}

async function day(settings: Settings): Promise<unknown> {
  const figures = await measureDay(settings);
  print([row(`open ${settings.hours} h of a device`, figures.drawn)]);
  const { residentBytes, proportionalBytes, heapBytes } = figures;
  const [rss, pss, heap] = [residentBytes, proportionalBytes, heapBytes].map((bytes) =>
    (bytes / MB).toFixed(0),
  );
  process.stdout.write(
    `${figures.firstMs.toFixed(0)} ms the first time; tab ${rss} MB resident (its share of it ${pss} MB), heap ${heap} MB\n`,
  );
  return figures;
}

async function crowd(settings: Settings): Promise<unknown> {
  const figures = await measureCrowd(settings);
  const { devicesShare, withPagesShare, tabShare, drawnPerSecond, readPerSecond } = figures;
  process.stdout.write(
    `server: ${percent(devicesShare)} of a processor for ${settings.devices} devices, ` +
      `${percent(withPagesShare)} with ${settings.pages} open pages, ` +
      `${percent(withPagesShare - devicesShare)} for the pages, which got ${readPerSecond.toFixed(1)} levels a second\n` +
      `a tab: ${percent(tabShare)} of a processor, ${drawnPerSecond.toFixed(1)} levels of each device a second\n`,
  );
  return figures;
}

async function latency(settings: Settings): Promise<unknown> {
  const figures = await measureLatency(settings.sounds);
  print([row(`${settings.sounds} sounds, sent to heard`, figures)]);
  return figures;
}

function print(rows: string[][]): void {
  process.stdout.write(`${table([["ms", "p50", "p90", "p99", "max"], ...rows], [1, 2, 3, 4]).join("\n")}\n`);
}

function row(what: string, { p50, p90, p99, max }: Percentiles): string[] {
  return [what, ...[p50, p90, p99, max].map((value) => value.toFixed(0))];
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

await runBench(readSettings, run);
