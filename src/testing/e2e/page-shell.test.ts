/** The frame of the page in a real browser: views, themes, keys, access, and a server that goes and comes back. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { resolve } from "node:path";
import type { Browser, Page } from "playwright-core";
import { createToken } from "../harness/access.ts";
import { axeFindings } from "../harness/axe.ts";
import { chromiumPath, launchChromium, reportWithoutChromium } from "../harness/chromium.ts";
import { PageSession, putSample } from "../harness/page-session.ts";
import { TestServer, useServers } from "../harness/server.ts";

useServers();
reportWithoutChromium("page-shell.test.ts");

const limitMs = 60_000;
const speech = resolve(import.meta.dir, "../../../data/samples/speech-16k-mono.wav");
const hostile = `<img src=x onerror="document.title='owned'">`;
const views = ["/", "/streams", "/streams/hostile", "/library"];

function isEvents(request: { url(): string }): boolean {
  return request.url().includes("/api/events");
}

/** As if the user changed to another tab, or came back. */
async function show(page: Page, isVisible: boolean): Promise<void> {
  await page.evaluate((isHidden) => {
    Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, !isVisible);
}

describe.skipIf(chromiumPath === null)("the page", () => {
  let server: TestServer;
  let browser: Browser;

  beforeAll(async () => {
    [server, browser] = await Promise.all([TestServer.start(), launchChromium()]);
    await putSample(server.httpBase, "hostile", speech, { title: hostile, artist: "مقدمة" });
    await putSample(server.httpBase, "plain", speech, { title: "A plain one" });
  }, limitMs);

  afterAll(async () => {
    await browser?.close();
    await server?.dispose();
  }, limitMs);

  test.each([
    ["light", 1280],
    ["dark", 1280],
    ["light", 360],
    ["dark", 360],
  ] as const)(
    "has nothing that axe finds, in the %s theme at %p pixels",
    async (colorScheme, width) => {
      const viewport = { width, height: 740 };
      // The test injects a script, which the policy of the page forbids.
      const options = { colorScheme, viewport, reducedMotion: "reduce", bypassCSP: true } as const;
      await using session = await PageSession.open(browser, options);
      const { page } = session;
      for (const view of views) {
        await page.goto(`${server.httpBase}${view}`);
        await page.locator("h1").first().waitFor({ state: "attached" });
        await page.locator(".skeleton").first().waitFor({ state: "detached" });
        expect([view, await axeFindings(page)]).toEqual([view, []]);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect([view, overflow]).toEqual([view, 0]);
      }
    },
    limitMs,
  );

  test(
    "shows names as text, and keeps to its own policy",
    async () => {
      await using session = await PageSession.open(browser);
      const { page, errors } = session;
      await page.goto(`${server.httpBase}/streams/hostile`);
      await page.getByRole("complementary").getByText(hostile).first().waitFor();
      await page.getByRole("link", { name: hostile }).waitFor();
      expect(await page.locator("img").count()).toBe(0);
      expect(await page.title()).toBe("Streams · Wavecache");
      expect(errors).toEqual([]);
    },
    limitMs,
  );

  test(
    "is operated by keys alone",
    async () => {
      await using session = await PageSession.open(browser);
      const { page } = session;
      await page.goto(`${server.httpBase}/`);
      await page.getByRole("link", { name: "Streams" }).waitFor();
      await page.keyboard.press("Tab");
      await page.getByRole("link", { name: "Skip to content" }).waitFor();
      for (const _ of ["brand", "overview", "streams"]) await page.keyboard.press("Tab");
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "Streams", level: 1 }).waitFor();
      await page.keyboard.press("/");
      await page.keyboard.type("plain");
      await page.getByText("1 stream", { exact: true }).waitFor();
      await page.keyboard.press("Tab");
      expect(await page.evaluate(() => document.activeElement?.getAttribute("aria-label"))).toBe("Order");
    },
    limitMs,
  );

  test(
    "keeps the theme that was chosen",
    async () => {
      await using session = await PageSession.open(browser, { colorScheme: "light" });
      const { page } = session;
      const theme = () => page.evaluate(() => document.documentElement.dataset["theme"]);
      await page.goto(`${server.httpBase}/`);
      await page.getByRole("button", { name: "Dark theme" }).click();
      expect(await theme()).toBe("dark");
      await page.reload();
      await page.getByRole("button", { name: "Light theme" }).waitFor();
      expect(await theme()).toBe("dark");
    },
    limitMs,
  );

  test(
    "says that the server is away, and continues by itself once it is back",
    async () => {
      await using own = await TestServer.start();
      const base = own.httpBase;
      await using session = await PageSession.open(browser);
      const { page } = session;
      await page.goto(`${base}/streams`);
      await page.getByText("No streams yet").waitFor();
      await own.kill9();
      await page.getByRole("searchbox").fill("anything");
      await page.getByText("The server does not answer").waitFor();
      await own.restart({ flags: { port: Number(new URL(base).port) } });
      await page.getByText("Nothing found").waitFor();
      expect(await page.getByText("The server does not answer").count()).toBe(0);
    },
    limitMs,
  );

  test(
    "follows events only while somebody sees it",
    async () => {
      await using session = await PageSession.open(browser);
      const { page } = session;
      const opened = page.waitForRequest(isEvents);
      await page.goto(`${server.httpBase}/`);
      await opened;
      await page.getByRole("heading", { name: "Events" }).waitFor();
      const closed = page.waitForEvent("requestfailed", isEvents);
      await show(page, false);
      await closed;
      const again = page.waitForRequest(isEvents);
      await show(page, true);
      expect((await (await again).allHeaders())["last-event-id"]).toMatch(/^\d+$/);
    },
    limitMs,
  );

  test(
    "asks for a token on a closed server, and shows only what it allows",
    async () => {
      await using own = await TestServer.start();
      await putSample(own.httpBase, "mine", speech);
      const token = await createToken(own, ["read,list:streams/**"]);
      await using session = await PageSession.open(browser);
      const { page } = session;
      await page.goto(`${own.httpBase}/streams`);
      await page.getByLabel("Token").fill("wc_wrong");
      await page.getByRole("button", { name: "Sign in" }).last().click();
      await page.getByRole("alert").waitFor();
      await page.getByLabel("Token").fill(token.text);
      await page.getByRole("button", { name: "Sign in" }).last().click();
      await page.getByRole("link", { name: "mine" }).click();
      await page.getByRole("link", { name: "Download" }).waitFor();
      for (const name of ["Remove", "Pin", "Edit", "Upload"]) {
        expect([name, await page.getByRole("button", { name, exact: true }).count()]).toEqual([name, 0]);
      }
      expect(await page.getByRole("link", { name: "Library" }).count()).toBe(0);
      await page.getByRole("button", { name: /^Sign out/ }).click();
      await page.getByRole("heading", { name: "Sign in" }).waitFor();
    },
    limitMs,
  );

  test(
    "works below the path of a proxy, deep links included",
    async () => {
      await using own = await TestServer.start({ flags: { "base-path": "/wave/cache" } });
      await putSample(own.httpBase, "deep", speech);
      await using session = await PageSession.open(browser);
      const { page, errors } = session;
      const paths: string[] = [];
      page.on("request", (request) => paths.push(new URL(request.url()).pathname));
      await page.goto(`${own.httpBase}/wave/cache/streams/deep`);
      await page.getByRole("complementary").getByText("SHA-256").waitFor();
      await page.getByRole("link", { name: "Overview", exact: true }).click();
      await page.getByRole("heading", { name: "Uploads" }).waitFor();
      expect(new URL(page.url()).pathname).toBe("/wave/cache/");
      expect(paths.length).toBeGreaterThan(6);
      expect(paths.filter((path) => !path.startsWith("/wave/cache/"))).toEqual([]);
      expect(errors).toEqual([]);
    },
    limitMs,
  );
});
