/** The microphone of a browser as a device: it is recorded, heard live, and continues after a lost server. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Browser, chromium } from "playwright-core";
import { chromiumPath, reportWithoutChromium } from "../harness/chromium.ts";
import { PageSession } from "../harness/page-session.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();
reportWithoutChromium("page-record.test.ts");

const limitMs = 60_000;

interface Recorded {
  device: string | null;
  sampleRate: number;
  channels: number;
  samples: number;
  lostFrames: number;
  peak: number | null;
}

describe.skipIf(chromiumPath === null)("the microphone on the page", () => {
  let server: TestServer;
  let browser: Browser;

  beforeAll(async () => {
    // Chromium's microphone for tests beeps once a second.
    const args = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"];
    [server, browser] = await Promise.all([
      TestServer.start({ flags: { "rotate-seconds": 2 } }),
      chromium.launch({ executablePath: chromiumPath!, args }),
    ]);
  }, limitMs);

  afterAll(async () => {
    await browser?.close();
    await server?.dispose();
  }, limitMs);

  async function recordings(): Promise<Recorded[]> {
    const answer = await fetch(`${server.httpBase}/api/recordings?device=desk`);
    return ((await answer.json()) as { recordings: Recorded[] }).recordings;
  }

  test(
    "is recorded as a device, with sound and without losses, also across a restart of the server",
    async () => {
      await using session = await PageSession.open(browser);
      const { page, errors } = session;
      await page.goto(`${server.httpBase}/record`);
      await page.getByLabel("Name of this device").fill("desk");
      await page.getByRole("button", { name: "Record" }).click();
      await page.getByText("On air").waitFor();
      await until("a recording", 15_000, async () => (await recordings()).length > 0);
      const [first] = await recordings();
      expect(first).toMatchObject({ device: "desk", channels: 1, lostFrames: 0 });
      expect(first!.peak).toBeGreaterThan(-30);

      // It goes on while one moves about, and after a crash.
      await page.getByRole("link", { name: "Streams" }).click();
      await page.getByRole("button", { name: "Stop recording desk" }).waitFor();
      const before = (await recordings()).length;
      await server.kill9();
      const port = Number(new URL(server.httpBase).port);
      await server.restart({ flags: { port, "rotate-seconds": 2 } });
      await until("recordings after the crash", 20_000, async () => (await recordings()).length > before + 1);
      await page.getByRole("button", { name: "Stop recording desk" }).click();
      expect(errors.filter((text) => !/WebSocket|Failed to fetch/.test(text))).toEqual([]);
    },
    limitMs,
  );
});
