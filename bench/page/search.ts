/** The streams of a large cache on the page: how long until they are on screen, and until a search is after each key. */
import type { Page } from "playwright-core";
import { launchChromium } from "../../src/testing/harness/chromium.ts";
import { TestServer } from "../../src/testing/harness/server.ts";
import { Latency, type Percentiles } from "../load/latency.ts";
import { fillCatalog } from "../load/many-streams.ts";

export interface SearchFigures {
  /** The first time bundles the page, and fills the caches of browser and server. */
  firstMs: number;
  opened: Percentiles;
  keys: Percentiles;
}

/** Typed letter by letter: each is a search of its own. */
const typed = ["common", "artist 77", "album 12", "number 7"];

export async function measureSearch(settings: { streams: number; rounds: number }): Promise<SearchFigures> {
  await using server = await TestServer.start();
  await server.stop();
  fillCatalog(server.cacheDir, settings.streams);
  await server.restart();
  await using browser = await launchChromium();
  const page = await browser.newPage();
  const firstMs = await openStreams(page, server.httpBase);
  const opened = new Latency();
  const keys = new Latency();
  for (let round = 0; round < settings.rounds; round++) {
    opened.record(await openStreams(page, server.httpBase));
    for (const text of typed) await type(page, text, keys);
  }
  return { firstMs, opened: opened.percentiles(), keys: keys.percentiles() };
}

/** Returns the milliseconds until the first rows are on screen, by the clock of the page. */
async function openStreams(page: Page, base: string): Promise<number> {
  await page.goto(`${base}/streams`, { waitUntil: "commit" });
  return await page.evaluate(`(${untilRows})()`);
}

/** Runs in the page, as text. */
const untilRows = `async () => {
  while (document.querySelector(".row") === null) await new Promise(requestAnimationFrame);
  return performance.now();
}`;

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
