/**
 * What open pages cost the server, while devices send. One page is a real one, on the overview with all levels. The others
 * are readers that ask for what that page asks for, as often: so many browsers would leave the server no processor.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Browser, Page, Request } from "playwright-core";
import { launchChromium } from "../../src/testing/harness/chromium.ts";
import { TestServer } from "../../src/testing/harness/server.ts";
import { processProbe } from "../load/figures.ts";
import { codedSpeech, Device, sampleRate, sendInTime } from "../load/ingest-devices.ts";
import { PageReader, type PageRequests } from "./page-reader.ts";

export interface CrowdSettings {
  pages: number;
  devices: number;
  seconds: number;
}

export interface CrowdFigures {
  /** Shares of one processor that the server took, of all its threads. */
  devicesShare: number;
  withPagesShare: number;
  /** Of one processor, by the process of the tab. */
  tabShare: number;
  /** How often the real page drew the level of a device, a second. */
  drawnPerSecond: number;
  /** Levels that the slowest reader got, a second. */
  readPerSecond: number;
}

const frameMs = 20;
/** Connections and first requests are over by then. */
const settleMs = 1_000;
/** With and without pages in turns, so that what else the machine does counts for both. */
const turns = 4;
const openLimitMs = 60_000;
/** Longer than any measurement takes. */
const sendingSeconds = 3_600;

export async function measureCrowd(settings: CrowdSettings): Promise<CrowdFigures> {
  await using server = await TestServer.start();
  const ending = new AbortController();
  const { devices, sending } = await startDevices(server, settings.devices, ending.signal);
  try {
    return await measure(settings, server);
  } finally {
    ending.abort();
    await sending;
    for (const device of devices) device.end();
  }
}

async function startDevices(server: TestServer, count: number, signal: AbortSignal) {
  const frameSamples = (sampleRate * frameMs) / 1000;
  const payloads = await codedSpeech(frameSamples);
  const devices = Array.from({ length: count }, (_, index) => new Device(index));
  for (const [index, device] of devices.entries()) {
    await device.connect(new URL(server.httpBase), index, frameSamples);
  }
  return { devices, sending: sendInTime(devices, payloads, { frameMs, seconds: sendingSeconds, signal }) };
}

async function measure(
  { pages, devices, seconds }: CrowdSettings,
  server: TestServer,
): Promise<CrowdFigures> {
  const processorSeconds = async () => (await processProbe(server.pid)())!.cpuSeconds;
  await sleep(settleMs);
  const { requests, ...page } = await observePage(server.httpBase, devices, seconds);
  const alone: number[] = [];
  const crowded: number[] = [];
  const read: number[] = [];
  for (let turn = 0; turn < turns; turn++) {
    alone.push(await shareOf(processorSeconds, seconds / turns));
    const ending = new AbortController();
    const readers = Array.from(
      { length: pages },
      () => new PageReader(server.httpBase, requests, ending.signal),
    );
    await sleep(settleMs);
    for (const reader of readers) reader.levels = 0;
    crowded.push(await shareOf(processorSeconds, seconds / turns));
    read.push(...readers.map(({ levels }) => (levels * turns) / seconds));
    ending.abort();
  }
  return {
    devicesShare: mean(alone),
    withPagesShare: mean(crowded),
    readPerSecond: Math.min(...read),
    ...page,
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** What the overview asks the server for, and what it costs the browser. */
async function observePage(base: string, devices: number, seconds: number) {
  await using browser = await launchChromium();
  const page = await browser.newPage();
  await page.goto(base);
  await page
    .locator(".live-row")
    .nth(devices - 1)
    .waitFor({ timeout: openLimitMs, state: "attached" });
  const asked = collectRequests(page);
  // Its streams were opened before: they are opened again, as by every page that comes.
  await page.reload();
  await page
    .locator(".live-row")
    .nth(devices - 1)
    .waitFor({ timeout: openLimitMs, state: "attached" });
  await page.evaluate(countDrawn);
  const tabShare = await shareOf(() => tabSeconds(browser), seconds);
  const drawn = await page.evaluate<number>("globalThis.drawn");
  return { requests: asked(), tabShare, drawnPerSecond: drawn / seconds };
}

/** The function that it returns ends it. */
function collectRequests(page: Page): () => PageRequests {
  const times = new Map<string, number[]>();
  const streams = new Set<string>();
  page.on("request", (request: Request) => {
    const { pathname, search } = new URL(request.url());
    if (!pathname.startsWith("/api/")) return;
    const path = `${pathname}${search}`;
    if (request.headers()["accept"] === "text/event-stream") streams.add(path);
    else times.set(path, [...(times.get(path) ?? []), performance.now()]);
  });
  return () => {
    const repeated = Array.from(times).filter(([, all]) => all.length > 2);
    const polls = repeated.map(([path, all]) => ({
      path,
      intervalMs: (all.at(-1)! - all[0]!) / (all.length - 1),
    }));
    return { streams: Array.from(streams), polls };
  };
}

/** Runs in the page, as text: counts the changes of the first meter. */
const countDrawn = `
  globalThis.drawn = 0;
  const meter = document.querySelector(".live-row .meter-rms");
  new MutationObserver(() => (globalThis.drawn += 1)).observe(meter, { attributes: true });
`;

/** Processor time of the processes of all tabs, of which one is busy. */
async function tabSeconds(browser: Browser): Promise<number> {
  const { processInfo } = await (await browser.newBrowserCDPSession()).send("SystemInfo.getProcessInfo");
  return processInfo.reduce((sum, { type, cpuTime }) => sum + (type === "renderer" ? cpuTime : 0), 0);
}

/** How much of one processor is used while these seconds pass. */
async function shareOf(processorSeconds: () => Promise<number>, seconds: number): Promise<number> {
  const [before, beforeMs] = [await processorSeconds(), performance.now()];
  await sleep(1000 * seconds);
  return ((await processorSeconds()) - before) / ((performance.now() - beforeMs) / 1000);
}
