/** Each view with something to see in it: accessible, and within the width of a phone. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser } from "playwright-core";
import { axeFindings } from "../harness/axe.ts";
import { chromiumPath, launchChromium, reportWithoutChromium } from "../harness/chromium.ts";
import { PageSession } from "../harness/page-session.ts";
import { GrpcDevice } from "../harness/peers/grpc-device.ts";
import { countingPayload, IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();
reportWithoutChromium("page-views.test.ts");

const limitMs = 60_000;
const name = "kitchen-of-the-house-with-a-very-long-name";
/** A view, and what it shows once it has loaded. */
const views = [
  ["/recordings", ".device-day"],
  [`/recordings/${name}?from=2026-01-01T00:00:00Z&to=2026-01-01T01:00:00Z`, ".selection"],
  ["/live", ".live-card"],
  ["/devices", ".board"],
  ["/record", ".token-form"],
  ["/library", ".empty"],
  ["/events", ".event-line"],
  ["/storage", ".gauges"],
  ["/access", ".access-cards"],
] as const;

describe.skipIf(chromiumPath === null)("the views of the page", () => {
  let server: TestServer;
  let browser: Browser;
  let live: IngestDevice;
  let lamp: GrpcDevice;
  let timer: Timer;

  beforeAll(async () => {
    const started = TestServer.start({ flags: { "grpc-port": 0, "rotate-seconds": 1 } });
    [server, browser] = await Promise.all([started, launchChromium()]);
    lamp = new GrpcDevice(server.grpcPort, "lamp");
    live = await IngestDevice.open(server.httpBase, pcmFormat, name);
    let sent = 0;
    timer = setInterval(() => live.send(countingPayload((sent += 320), 320)), 20);
    await until("a recording", 10_000, async () => {
      const answer = await fetch(`${server.httpBase}/api/recorded`);
      return ((await answer.json()) as { devices: unknown[] }).devices.length > 0;
    });
  }, limitMs);

  afterAll(async () => {
    clearInterval(timer);
    lamp?.close();
    await browser?.close();
    await live?.close();
    await server?.dispose();
  }, limitMs);

  test.each([
    ["dark", 1280],
    ["light", 360],
  ] as const)(
    "have nothing that axe finds, and fit, in the %s theme at %p pixels",
    async (colorScheme, width) => {
      const viewport = { width, height: 740 };
      const options = { colorScheme, viewport, reducedMotion: "reduce", bypassCSP: true } as const;
      await using session = await PageSession.open(browser, options);
      const { page, errors } = session;
      for (const [path, shown] of views) {
        await page.goto(`${server.httpBase}${path}`);
        await page.locator(shown).first().waitFor();
        expect([path, await axeFindings(page)]).toEqual([path, []]);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect([path, overflow]).toEqual([path, 0]);
      }
      expect(errors).toEqual([]);
    },
    limitMs,
  );
});
