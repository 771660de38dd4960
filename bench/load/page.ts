/**
 * `bun run bench:page`: opens the page in Chromium on a server with many streams. Prints how long it takes until the page
 * can be used, and until the rows of a search are on screen after each key.
 */
import { cac } from "cac";
import type { Page } from "playwright-core";
import { countOption, textOption } from "../../src/cli/kit/arguments.ts";
import { table } from "../../src/cli/kit/text.ts";
import { launchChromium } from "../../src/testing/harness/chromium.ts";
import { TestServer } from "../../src/testing/harness/server.ts";
import { readCommandLine, runBench, writeReport } from "./command.ts";
import { Latency, type Percentiles } from "./latency.ts";
import { fillCatalog } from "./many-streams.ts";

interface Settings {
  streams: number;
  rounds: number;
  json: string | undefined;
}

/** Typed letter by letter: each is a search of its own. */
const typed = ["common", "artist 77", "album 12", "number 7"];

function readSettings(args: string[]): Settings | undefined {
  const cli = cac("bun run bench:page");
  cli
    .command("[...rest]", "Open and search the page")
    .usage(
      "[options]\n\nNeeds Chromium. The page searches a cache of streams that have names and tags, and no audio.",
    )
    .option("--streams <count>", "Finished streams", { default: "100000" })
    .option("--rounds <count>", "Times that the page is opened, and each text is typed", { default: "5" })
    .option("--json <file>", "Write all figures to this file");
  return readCommandLine(cli, args, (options) => ({
    streams: countOption(options, "streams", 1, 10_000_000),
    rounds: countOption(options, "rounds", 1, 1_000),
    json: textOption(options, "json"),
  }));
}

async function run(settings: Settings): Promise<number> {
  await using server = await TestServer.start();
  await server.stop();
  fillCatalog(server.cacheDir, settings.streams);
  await server.restart();
  await using browser = await launchChromium();
  const page = await browser.newPage();
  // The first request bundles the page, and fills the browser's cache.
  const cold = await openStreams(page, server.httpBase);
  const opened = new Latency();
  const keys = new Latency();
  for (let round = 0; round < settings.rounds; round++) {
    opened.record(await openStreams(page, server.httpBase));
    for (const text of typed) await type(page, text, keys);
  }
  const figures = { cold, opened: opened.percentiles(), keys: keys.percentiles() };
  const lines = table(
    [
      ["ms", "p50", "p99", "max"],
      row("open the streams", figures.opened),
      row("a key of a search", figures.keys),
    ],
    [1, 2, 3],
  );
  process.stdout.write(`${lines.join("\n")}\n\n${cold.toFixed(0)} ms the first time\n`);
  await writeReport(settings, figures);
  return 0;
}

function row(what: string, { p50, p99, max }: Percentiles): string[] {
  return [what, ...[p50, p99, max].map((value) => value.toFixed(0))];
}

/** Returns the milliseconds until the first rows are on screen, by the clock of the page. */
async function openStreams(page: Page, base: string): Promise<number> {
  await page.goto(`${base}/streams`);
  await page.locator(".row").first().waitFor();
  return await page.evaluate("performance.now()");
}

/** Types a text into the empty search. Records for each key how long it takes until its rows are drawn. */
async function type(page: Page, text: string, keys: Latency): Promise<void> {
  for (let length = 1; length <= text.length; length++) {
    keys.record(await page.evaluate(`(${searchInPage})(${JSON.stringify(text.slice(0, length))})`));
  }
  await page.evaluate(`(${searchInPage})("")`);
}

/** Runs in the page, as text: it enters a search, and resolves once another list of rows is drawn. */
const searchInPage = `async (text) => {
  const input = document.querySelector("input[type=search]");
  const before = document.querySelector(".virtual");
  const start = performance.now();
  input.value = text;
  input.dispatchEvent(new Event("input", { bubbles: true }));
  const isDrawn = () => {
    const now = document.querySelector(".virtual");
    return now !== null && now !== before && now.querySelector(".row") !== null;
  };
  while (!isDrawn()) await new Promise(requestAnimationFrame);
  return performance.now() - start;
}`;

await runBench(readSettings, run);
