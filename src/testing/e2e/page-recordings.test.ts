/** The timeline of recordings in a real browser: zoom, selection to the sample, playing across segments, removal. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import {
  chromiumPath,
  collectPageErrors,
  launchChromium,
  reportWithoutChromium,
} from "../harness/chromium.ts";
import { countingPayload, IngestDevice, isCounting, pcmFormat } from "../harness/peers/ingest-device.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();
reportWithoutChromium("page-recordings.test.ts");

const limitMs = 60_000;
const { sampleRate, frameSamples } = pcmFormat;
const seconds = 6;
/** Long enough to be jumped over. */
const gapMs = 6_000;

interface Recorded {
  name: string;
  earliest: string;
  latest: string;
}

describe.skipIf(chromiumPath === null)("recordings on the page", () => {
  let server: TestServer;
  let browser: Browser;
  let page: Page;
  let errors: string[];

  beforeAll(async () => {
    [server, browser] = await Promise.all([
      TestServer.start({ flags: { "rotate-seconds": 1 } }),
      launchChromium(),
    ]);
    await Promise.all([record("hall"), record("porch"), recordWithGap("attic")]);
  }, limitMs);

  beforeEach(async () => {
    page = await browser.newPage({ acceptDownloads: true });
    errors = collectPageErrors(page);
  });

  afterAll(async () => {
    await browser?.close();
    await server?.dispose();
  }, limitMs);

  /** Samples that count up, in real time: segments end by the clock. */
  async function record(hwid: string): Promise<void> {
    const device = await IngestDevice.open(server.httpBase, pcmFormat, hwid);
    const startedMs = performance.now();
    for (let sent = 0; sent < seconds * sampleRate; sent += frameSamples) {
      device.send(countingPayload(sent, frameSamples));
      await Bun.sleep(Math.max(0, startedMs + (1000 * sent) / sampleRate - performance.now()));
    }
    await device.close();
    await until("its last segment", 10_000, async () => {
      const recorded = await find(hwid);
      return recorded !== undefined && Date.parse(recorded.latest) - Date.parse(recorded.earliest) >= 5_990;
    });
  }

  /** Half a second of audio, a gap, and as much audio again. */
  async function recordWithGap(hwid: string): Promise<void> {
    for (const pauseMs of [gapMs, 0]) {
      const device = await IngestDevice.open(server.httpBase, pcmFormat, hwid);
      for (let sent = 0; sent < sampleRate / 2; sent += frameSamples)
        device.send(countingPayload(sent, frameSamples));
      await device.close();
      await Bun.sleep(pauseMs);
    }
  }

  async function find(hwid: string): Promise<Recorded | undefined> {
    const answer = await fetch(`${server.httpBase}/api/recorded`);
    const { devices } = (await answer.json()) as { devices: Recorded[] };
    return devices.find(({ name }) => name === hwid);
  }

  async function open(path: string): Promise<void> {
    await page.goto(`${server.httpBase}${path}`);
    await page.locator("h1").first().waitFor({ state: "attached" });
  }

  const timeline = () => page.getByRole("group", { name: /^Timeline of/ });

  test(
    "are listed by device, and lead to the timeline of one",
    async () => {
      await open("/recordings");
      await page.getByRole("link", { name: /^hall/ }).click();
      await timeline().waitFor();
      expect(new URL(page.url()).pathname).toBe("/recordings/hall");
      expect(errors).toEqual([]);
    },
    limitMs,
  );

  test(
    "are cut to the sample by the selection, over the segments that it touches",
    async () => {
      const { earliest } = (await find("hall"))!;
      const fromMs = Math.ceil(Date.parse(earliest)) + 700;
      const [from, to] = [fromMs, fromMs + 2_500].map((ms) => new Date(ms).toISOString());
      await open(`/recordings/hall?from=${from}&to=${to}`);
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("link", { name: "Download WAV" }).click(),
      ]);
      const wav = await Bun.file(await download.path()).arrayBuffer();
      const samples = new Int16Array(wav.slice(wav.byteLength - 2 * 2.5 * sampleRate));
      expect(download.suggestedFilename()).toStartWith("hall_");
      // The first sample is the one at the beginning of the selection, and none is missing or doubled.
      const micros = Number(/\.\d{3}(\d{3})Z$/.exec(earliest)![1]);
      const offset = ((fromMs - Date.parse(earliest)) * 1000 - micros) * (sampleRate / 1e6);
      expect(samples).toHaveLength(2.5 * sampleRate);
      expect(Math.abs(((samples[0]! - offset) << 16) >> 16)).toBeLessThanOrEqual(1);
      expect(isCounting(samples, samples[0])).toBe(true);
      // A link to the selection has the same audio.
      await page.getByRole("region", { name: "Selection" }).getByRole("button", { name: "Share" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Make a link" }).click();
      const link = await page.getByRole("dialog").locator("code", { hasText: "link=" }).innerText();
      expect(await (await fetch(link)).arrayBuffer()).toEqual(wav);
    },
    limitMs,
  );

  test(
    "are selected by dragging, and the selection is what plays",
    async () => {
      await open("/recordings/hall");
      await timeline().waitFor();
      await drag(0.3, 0.6);
      const panel = page.getByRole("region", { name: "Selection" });
      await panel.waitFor();
      const shown = Number.parseFloat((await panel.getByRole("status").textContent())!);
      const { earliest, latest } = (await find("hall"))!;
      // The timeline shows what there is, with a margin of a twentieth at each side.
      const span = ((Date.parse(latest) - Date.parse(earliest)) * 1.1) / 1000;
      expect(shown).toBeWithin(0.28 * span, 0.32 * span);
      const request = page.waitForRequest(/\/audio\?from=/);
      await panel.getByRole("button", { name: "Play" }).click();
      expect((await request).headers()["range"]).toStartWith("bytes=");
      await page.getByRole("region", { name: "Player" }).waitFor();
      await until("the player to move on", 10_000, async () => (await positionOfPlayer()) > 0.3);
      expect(errors).toEqual([]);
    },
    limitMs,
  );

  test(
    "have their level drawn as a curve of the time that is shown",
    async () => {
      await open("/recordings/hall");
      const card = page.getByRole("region", { name: "Level" });
      await card.getByRole("img", { name: "How loud hall was" }).locator("canvas").waitFor();
      const levels = page.waitForRequest(/\/levels\?from=/);
      await page.getByRole("button", { name: "Zoom in" }).click();
      await levels;
      expect(errors).toEqual([]);
    },
    limitMs,
  );

  test(
    "are operated with keys alone",
    async () => {
      await open("/recordings/hall");
      await timeline().focus();
      await page.keyboard.press("ArrowRight");
      for (let times = 0; times < 3; times++) await page.keyboard.press("Shift+ArrowRight");
      await page.getByRole("region", { name: "Selection" }).waitFor();
      await page.keyboard.press("Escape");
      await page.getByRole("region", { name: "Selection" }).waitFor({ state: "detached" });
      await page.keyboard.press("Space");
      await until("sound", 10_000, async () => (await positionOfPlayer()) > 0.2);
    },
    limitMs,
  );

  test(
    "are played without their long gaps, unless the user wants to hear these",
    async () => {
      await open("/recordings/attic");
      await timeline().waitFor();
      const jumps = page.getByRole("button", { name: "Jump over long gaps" });
      expect(await jumps.getAttribute("aria-pressed")).toBe("true");
      await timeline().focus();
      const startedMs = performance.now();
      await page.keyboard.press("Space");
      // Without a jump the position cannot be ahead of the clock.
      await until("a jump", 5_000, async () => {
        const positionMs = 1_000 * (await positionOfPlayer());
        return positionMs > performance.now() - startedMs + 1_000;
      });
      await jumps.click();
      await page.reload();
      expect(await jumps.getAttribute("aria-pressed")).toBe("false");
      expect(errors).toEqual([]);
    },
    limitMs,
  );

  test(
    "are zoomed by the wheel around the pointer, from a day to a second",
    async () => {
      await open("/recordings/hall");
      await page.getByRole("button", { name: "Day", exact: true }).click();
      const box = (await timeline().boundingBox())!;
      const readout = page.locator(".timeline-readout");
      await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
      const before = (await readout.textContent())!.slice(0, 5);
      for (let turn = 0; turn < 40; turn++) await page.mouse.wheel(0, -400);
      await page.mouse.move(box.x + box.width / 2 + 1, box.y + box.height / 2);
      // A second is shown to the millisecond.
      await until("a second", 5_000, async () =>
        /^\d\d:\d\d:\d\d\.\d{3}/.test((await readout.textContent())!),
      );
      expect(await readout.textContent()).toStartWith(before);
    },
    limitMs,
  );

  test(
    "are removed after a confirmation, and leave the page",
    async () => {
      const { earliest, latest } = (await find("porch"))!;
      const [from, to] = [Date.parse(earliest) - 1_000, Date.parse(latest) + 1_000];
      await open(`/recordings/porch?from=${new Date(from).toISOString()}&to=${new Date(to).toISOString()}`);
      await page.getByRole("button", { name: "Remove" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
      await page.getByText(/^Removed \d+ recordings/).waitFor();
      await page.getByText("Nothing recorded of this device").waitFor();
      expect(await find("porch")).toBeUndefined();
    },
    limitMs,
  );

  async function drag(from: number, to: number): Promise<void> {
    const box = (await timeline().boundingBox())!;
    const y = box.y + box.height / 2;
    await page.mouse.move(box.x + box.width * from, y);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * to, y, { steps: 4 });
    await page.mouse.up();
  }

  async function positionOfPlayer(): Promise<number> {
    const slider = page.getByRole("region", { name: "Player" }).getByRole("slider", { name: "Position" });
    return (await slider.count()) === 0 ? 0 : Number(await slider.inputValue());
  }
});
