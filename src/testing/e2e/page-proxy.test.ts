/** The page below a path of another server, behind a real nginx: every view, events, WebSockets, uploads and live audio. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { resolve } from "node:path";
import type { Browser } from "playwright-core";
import { chromiumPath, launchChromium, reportWithoutChromium } from "../harness/chromium.ts";
import { PageScene } from "../harness/page-scene.ts";
import { PageSession } from "../harness/page-session.ts";
import { useServers } from "../harness/server.ts";
import { hasNginx, Nginx } from "../harness/servers/nginx.ts";

useServers();
reportWithoutChromium("page-proxy.test.ts");
if (!hasNginx)
  process.stderr.write("page-proxy.test.ts is skipped: it needs nginx, which is not installed\n");

const limitMs = 60_000;
const path = "/wave/cache";
const speech = resolve(import.meta.dir, "../../../data/samples/speech-16k-mono.wav");

describe.skipIf(chromiumPath === null || !hasNginx)("the page behind nginx", () => {
  let scene: PageScene;
  let browser: Browser;
  let nginx: Nginx;

  beforeAll(async () => {
    const opening = PageScene.open({ flags: { "base-path": path } });
    [scene, browser] = await Promise.all([opening, launchChromium()]);
    nginx = await Nginx.start(path, scene.server.httpBase);
  }, limitMs);

  afterAll(async () => {
    await browser?.close();
    await nginx?.[Symbol.asyncDispose]();
    await scene?.[Symbol.asyncDispose]();
  }, limitMs);

  test(
    "shows every view by its address, and asks for nothing outside of its path",
    async () => {
      await using session = await PageSession.open(browser);
      const { page, errors } = session;
      const addresses: string[] = [];
      page.on("request", (request) => addresses.push(request.url()));
      page.on("websocket", (socket) => addresses.push(socket.url().replace(/^ws/, "http")));
      for (const [view, shown] of scene.views) {
        await page.goto(`${nginx.origin}${path}${view}`);
        await page.locator(shown).first().waitFor();
      }
      expect(addresses.length).toBeGreaterThan(50);
      expect(addresses.filter((address) => !address.startsWith(`${nginx.origin}${path}/`))).toEqual([]);
      expect(errors).toEqual([]);
    },
    limitMs,
  );

  test(
    "uploads, plays and listens there",
    async () => {
      await using session = await PageSession.open(browser);
      const { page, errors } = session;
      await page.goto(`${nginx.origin}${path}/streams`);
      await page.locator("input[type=file]").setInputFiles(speech);
      await page.getByText("verified").waitFor();
      await page.getByRole("button", { name: "Play speech-16k-mono.wav" }).click();
      await page.getByRole("region", { name: "Player" }).getByText("0:01").first().waitFor();
      await page.getByRole("link", { name: "Live" }).click();
      await page.getByRole("button", { name: `Listen ${scene.name}` }).click();
      await page.getByText(/ms behind/).waitFor();
      expect(errors).toEqual([]);
    },
    limitMs,
  );
});
