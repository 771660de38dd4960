/** The scripts of the page's views: each is loaded when it is wanted, also from a server that was away. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser } from "playwright-core";
import { chromiumPath, launchChromium, reportWithoutChromium } from "../harness/chromium.ts";
import { PageSession } from "../harness/page-session.ts";
import { TestServer, useServers } from "../harness/server.ts";

useServers();
reportWithoutChromium("page-loading.test.ts");

const limitMs = 60_000;

/** Whether the overview does without this script. */
function isForLater(path: string): boolean {
  return /-view-|wavesurfer|uPlot|upload/.test(path);
}

describe.skipIf(chromiumPath === null)("the scripts of the page", () => {
  let server: TestServer;
  let browser: Browser;

  beforeAll(async () => {
    [server, browser] = await Promise.all([TestServer.start(), launchChromium()]);
  }, limitMs);

  afterAll(async () => {
    await browser?.close();
    await server?.dispose();
  }, limitMs);

  test(
    "are those of the view that is shown, and of the one that a user points at",
    async () => {
      await using session = await PageSession.open(browser);
      const { page, errors } = session;
      const scripts: string[] = [];
      page.on("request", (request) => scripts.push(new URL(request.url()).pathname));
      await page.goto(`${server.httpBase}/`);
      await page.getByRole("heading", { name: "Uploads" }).waitFor();
      expect(scripts.filter((path) => path.includes("/overview-"))).toHaveLength(1);
      expect(scripts.filter(isForLater)).toEqual([]);
      const wanted = page.waitForResponse((answer) => answer.url().includes("/streams-view-"));
      await page.getByRole("link", { name: "Streams" }).hover();
      expect((await wanted).headers()["cache-control"]).toContain("immutable");
      expect(page.url()).toBe(`${server.httpBase}/`);
      await page.getByRole("link", { name: "Streams" }).click();
      await page.getByText("No streams yet").waitFor();
      expect(scripts.filter((path) => path.includes("/streams-view-"))).toHaveLength(1);
      expect(errors).toEqual([]);
    },
    limitMs,
  );

  test(
    "come once the server is back, if it was away when they were wanted",
    async () => {
      await using own = await TestServer.start();
      const base = own.httpBase;
      await using session = await PageSession.open(browser);
      const { page } = session;
      await page.goto(`${base}/`);
      await page.getByRole("heading", { name: "Uploads" }).waitFor();
      await own.kill9();
      await page.getByRole("link", { name: "Events" }).click();
      await page.getByText("The server does not answer").waitFor();
      expect(await page.getByRole("heading", { name: "Events" }).count()).toBe(0);
      await own.restart({ flags: { port: Number(new URL(base).port) } });
      await page.getByRole("heading", { name: "Events", level: 1 }).waitFor();
    },
    limitMs,
  );

  test(
    "are asked for again by a button, if the server no longer has them",
    async () => {
      await using session = await PageSession.open(browser);
      const { page } = session;
      await page.goto(`${server.httpBase}/`);
      await page.getByRole("heading", { name: "Uploads" }).waitFor();
      await page.route("**/assets/access-view-*", (route) => route.fulfill({ status: 404 }));
      await page.getByRole("link", { name: "Access" }).click();
      await page.getByText("This view cannot be loaded").waitFor();
      await page.unrouteAll();
      await page.getByRole("button", { name: "Try again" }).click();
      await page.getByRole("heading", { name: "Access", level: 1 }).waitFor();
    },
    limitMs,
  );
});
