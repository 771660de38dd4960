/** Live audio on the page, in a real browser: from the click to the sound, several at once, and while one moves about. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { chromiumPath, launchChromium, reportWithoutChromium } from "../harness/chromium.ts";
import { PageSession } from "../harness/page-session.ts";
import { IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();
reportWithoutChromium("page-live.test.ts");

const limitMs = 60_000;
const maxSilenceMs = 1_000;

/** A tone in real time, until it is stopped. */
async function sendTone(base: string, hwid: string, hz: number): Promise<() => Promise<void>> {
  const { sampleRate, frameSamples } = pcmFormat;
  const device = await IngestDevice.open(base, pcmFormat, hwid);
  const frame = Int16Array.from({ length: frameSamples }, (_, at) =>
    Math.round(12_000 * Math.sin((2 * Math.PI * hz * at) / sampleRate)),
  );
  const startedMs = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    const due = ((performance.now() - startedMs) / 1000) * (sampleRate / frameSamples);
    for (; sent < due; sent++) device.send(new Uint8Array(frame.buffer));
  }, 10);
  return async () => {
    clearInterval(timer);
    await device.close();
  };
}

const card = (page: Page, name: string) => page.getByRole("article").filter({ hasText: name });

/** Clicks, and measures in the page until the spectrogram has the tone. */
function listen(page: Page, name: string): Promise<number> {
  return page.evaluate(async (wanted) => {
    const buttons = [...document.querySelectorAll("button")];
    const clickedAt = performance.now();
    buttons.find(({ textContent }) => textContent?.includes(`Listen ${wanted}`))!.click();
    const label = `canvas[aria-label="Frequencies of ${wanted}"]`;
    for (;;) {
      await new Promise((resolve) => requestAnimationFrame(resolve));
      const canvas = document.querySelector<HTMLCanvasElement>(label);
      const pixels = canvas?.getContext("2d")!.getImageData(canvas.width - 1, 0, 1, canvas.height).data;
      const [first] = pixels ?? [0];
      // Red differs by the loudness; without sound all rows are alike.
      if (pixels?.some((value, at) => at % 4 === 0 && Math.abs(value - first!) > 60)) break;
    }
    return performance.now() - clickedAt;
  }, name);
}

describe.skipIf(chromiumPath === null)("live audio on the page", () => {
  let server: TestServer;
  let browser: Browser;
  let stops: (() => Promise<void>)[];

  beforeAll(async () => {
    [server, browser] = await Promise.all([TestServer.start(), launchChromium()]);
    stops = await Promise.all([
      sendTone(server.httpBase, "hall", 400),
      sendTone(server.httpBase, "porch", 1_000),
    ]);
  }, limitMs);

  afterAll(async () => {
    await browser?.close();
    await Promise.all((stops ?? []).map((stop) => stop()));
    await server?.dispose();
  }, limitMs);

  test(
    "is heard within a second of the click, from several devices at once",
    async () => {
      await using session = await PageSession.open(browser);
      const { page, errors } = session;
      await page.goto(`${server.httpBase}/live`);
      await card(page, "porch").waitFor();
      for (const name of ["hall", "porch"]) {
        const soundMs = await listen(page, name);
        process.stderr.write(`the page played ${name} ${Math.round(soundMs)} ms after the click\n`);
        expect(soundMs).toBeLessThan(maxSilenceMs);
      }
      for (const name of ["hall", "porch"]) {
        const text = await card(page, name)
          .getByText(/\d+ ms behind/)
          .textContent();
        expect(Number.parseInt(text!, 10)).toBeWithin(1, 1_000);
      }
      expect(errors).toEqual([]);
    },
    limitMs,
  );

  test(
    "goes on while one moves about, until it is stopped",
    async () => {
      await using session = await PageSession.open(browser);
      const { page } = session;
      const sockets: { isClosed: () => boolean }[] = [];
      page.on("websocket", (socket) => sockets.push(socket));
      await page.goto(`${server.httpBase}/live`);
      await page.getByRole("button", { name: "Listen hall" }).click();
      await card(page, "hall")
        .getByText(/ms behind/)
        .waitFor();
      await page.getByRole("link", { name: "Streams" }).click();
      await page.getByRole("button", { name: "Stop hall" }).waitFor();
      expect(sockets.map((socket) => socket.isClosed())).toEqual([false]);
      await page.getByRole("button", { name: "Stop hall" }).click();
      await until("the end of the connection", 5_000, () => sockets[0]!.isClosed());
    },
    limitMs,
  );

  test(
    "says that it waits for a sound output, where the browser has none",
    async () => {
      await using session = await PageSession.open(browser);
      const { page } = session;
      await page.addInitScript(() => {
        globalThis.AudioContext = class extends AudioContext {
          constructor(options?: AudioContextOptions) {
            super(options);
            void this.suspend();
          }

          override resume(): Promise<void> {
            return Promise.withResolvers<void>().promise;
          }
        };
      });
      await page.goto(`${server.httpBase}/live`);
      await page.getByRole("button", { name: "Listen hall" }).click();
      await card(page, "hall").getByText("Waits for a sound output of this browser").waitFor();
    },
    limitMs,
  );
});
