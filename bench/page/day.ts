/** A day of a device on the screen: how long it takes, and how much memory the tab has then. */
import * as fs from "node:fs";
import { dirname, join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { KiB } from "../../src/base/limits/units.ts";
import { encodeWavHeader, wavHeaderBytes } from "../../src/codec/wav/wav.ts";
import { measureSegment } from "../../src/store/recordings/peaks/measure.ts";
import { SqliteCatalog } from "../../src/store/streams/sqlite/catalog.ts";
import { launchChromium } from "../../src/testing/harness/chromium.ts";
import { TestServer } from "../../src/testing/harness/server.ts";
import { Latency, type Percentiles } from "../load/latency.ts";
import {
  dataBytes,
  device,
  sampleRate,
  segmentEntry,
  segmentName,
  segmentSeconds,
  startMs,
  wavOf,
} from "../load/recorded-segments.ts";

export interface DayFigures {
  /** Milliseconds from the navigation until the waveform is drawn, by the clock of the page. */
  drawn: Percentiles;
  firstMs: number;
  /** Of the process of the tab: resident memory, which includes the code that all tabs share, and its share of that. */
  residentBytes: number;
  proportionalBytes: number;
  heapBytes: number;
}

/** Segments of different loudness; the others of the day are links to the files of these. */
const kinds = 24;
const extensions = [".wav", ".bin", ".dat"];
const dayHours = 24;

export async function measureDay({ hours, rounds }: { hours: number; rounds: number }): Promise<DayFigures> {
  await using server = await TestServer.start();
  await server.stop();
  recordDay(server, Math.round((hours * 3600) / segmentSeconds));
  await server.restart();
  await using browser = await launchChromium();
  const page = await browser.newPage();
  const firstMs = await openDay(page, server.httpBase, hours);
  const drawn = new Latency();
  for (let round = 0; round < rounds; round++) drawn.record(await openDay(page, server.httpBase, hours));
  return { drawn: drawn.percentiles(), firstMs, ...(await memoryOf(browser, page)) };
}

function recordDay(server: TestServer, segments: number): void {
  const catalog = new SqliteCatalog(join(server.cacheDir, "catalog.db"));
  const folder = join(server.folder, "received");
  fs.mkdirSync(dirname(join(folder, segmentName(0))), { recursive: true });
  const models = Array.from({ length: Math.min(kinds, segments) }, (_, kind) => writeSegment(folder, kind));
  catalog.transaction(() => {
    for (let index = 0; index < segments; index++) {
      const { wav, peaks } = models[index % kinds]!;
      if (index >= kinds) linkSegment(folder, index % kinds, index);
      const entry = segmentEntry(index, wav);
      catalog.recordings.enter(entry);
      catalog.overviews.enter(entry, peaks);
    }
  }, true);
  catalog.close();
}

function writeSegment(folder: string, kind: number) {
  const wav = new Uint8Array(wavHeaderBytes + dataBytes);
  wav.set(encodeWavHeader(sampleRate, 1, dataBytes));
  const samples = new Int16Array(wav.buffer, wavHeaderBytes);
  const loudness = (32_000 * (kind + 1)) / kinds;
  for (let at = 0; at < samples.length; at++) samples[at] = (Math.random() - 0.5) * loudness;
  const path = join(folder, segmentName(kind));
  fs.writeFileSync(`${path}.wav`, wav);
  fs.writeFileSync(`${path}.bin`, "");
  return { wav: wavOf(wav), peaks: measureSegment(path)! };
}

function linkSegment(folder: string, from: number, to: number): void {
  for (const extension of extensions) {
    fs.linkSync(join(folder, segmentName(from) + extension), join(folder, segmentName(to) + extension));
  }
}

async function openDay(page: Page, base: string, hours: number): Promise<number> {
  const from = new Date(startMs).toISOString();
  const to = new Date(startMs + Math.min(hours, dayHours) * 3_600_000).toISOString();
  await page.goto(`${base}/recordings/${device}?from=${from}&to=${to}`, { waitUntil: "commit" });
  return await page.evaluate(`(${untilDrawn})()`);
}

/** Runs in the page, as text: resolves once the middle line of the timeline has a waveform over half its width. */
const untilDrawn = `async () => {
  const isDrawn = () => {
    const canvas = document.querySelector(".timeline-box canvas");
    if (canvas === null || canvas.width === 0) return false;
    const middle = Math.round((canvas.height + 26 * devicePixelRatio) / 2);
    const { data } = canvas.getContext("2d").getImageData(0, middle, canvas.width, 1);
    let drawn = 0;
    for (let at = 3; at < data.length; at += 4) if (data[at] > 128) drawn += 1;
    return drawn > canvas.width / 2;
  };
  while (!isDrawn()) await new Promise(requestAnimationFrame);
  return performance.now();
}`;

type Memory = Pick<DayFigures, "residentBytes" | "proportionalBytes" | "heapBytes">;

/** Of the only tab of a browser. */
async function memoryOf(browser: Browser, page: Page): Promise<Memory> {
  const { processInfo } = await (await browser.newBrowserCDPSession()).send("SystemInfo.getProcessInfo");
  const tabs = processInfo.filter(({ type }) => type === "renderer").map(({ id }) => memoryOfProcess(id));
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable");
  const { metrics } = await session.send("Performance.getMetrics");
  const heapBytes = metrics.find(({ name }) => name === "JSHeapUsedSize")!.value;
  // A browser has another process ready for the next tab, which is smaller.
  const [largest] = tabs.toSorted((a, b) => b.residentBytes - a.residentBytes);
  return { ...largest!, heapBytes };
}

function memoryOfProcess(pid: number) {
  const text = fs.readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const bytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)![1]) * KiB;
  return { residentBytes: bytes("Rss"), proportionalBytes: bytes("Pss") };
}
