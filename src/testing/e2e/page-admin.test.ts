/** Events, storage and access on the page: what happens, what goes next, and who may do what. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { resolve } from "node:path";
import type { Browser } from "playwright-core";
import { chromiumPath, launchChromium, reportWithoutChromium } from "../harness/chromium.ts";
import { PageSession, putSample } from "../harness/page-session.ts";
import { TestServer, useServers } from "../harness/server.ts";

useServers();
reportWithoutChromium("page-admin.test.ts");

const limitMs = 60_000;
const speech = resolve(import.meta.dir, "../../../data/samples/speech-16k-mono.wav");

describe.skipIf(chromiumPath === null)("the page of an operator", () => {
  let server: TestServer;
  let browser: Browser;

  beforeAll(async () => {
    const started = TestServer.start({ flags: { "keep-streams": "2MiB" } });
    [server, browser] = await Promise.all([started, launchChromium()]);
    await putSample(server.httpBase, "first", speech);
    await putSample(server.httpBase, "second", speech);
  }, limitMs);

  afterAll(async () => {
    await browser?.close();
    await server?.dispose();
  }, limitMs);

  test(
    "lists events, narrows them by kind and text, and shows new ones as they happen",
    async () => {
      await using session = await PageSession.open(browser);
      const { page, errors } = session;
      await page.goto(`${server.httpBase}/events`);
      const events = page.getByRole("list", { name: "Events" });
      await events.getByText("streams/first").first().waitFor();
      await page.getByRole("button", { name: "Recordings" }).click();
      await page.getByText("No such events").waitFor();
      await page.getByRole("button", { name: "Streams", exact: true }).click();
      await page.getByRole("searchbox").fill("newest");
      await page.getByText("No such events").waitFor();
      await putSample(server.httpBase, "newest", speech);
      await events.getByText("streams/newest").first().click();
      await page.getByRole("dialog").getByText('"streamId": "newest"').waitFor();
      await page.getByRole("link", { name: "Go there" }).click();
      await page.getByRole("complementary", { name: "Stream" }).waitFor();
      expect(errors).toEqual([]);
    },
    limitMs,
  );

  test(
    "shows what is in use, the limits, and what goes next",
    async () => {
      await using session = await PageSession.open(browser);
      const { page, errors } = session;
      await page.goto(`${server.httpBase}/storage`);
      await page.getByRole("progressbar", { name: /^Streams/ }).waitFor();
      await page.getByText(/up to 2.1 MB/).waitFor();
      await page.getByRole("heading", { name: "What goes next" }).waitFor();
      expect(errors).toEqual([]);
    },
    limitMs,
  );

  test(
    "makes tokens that sign in, show only what they allow, and end when they are revoked",
    async () => {
      await using operator = await PageSession.open(browser);
      const { page } = operator;
      await page.goto(`${server.httpBase}/access`);
      const make = async (note: string, grants: string) => {
        await page.getByRole("button", { name: "Make a token" }).click();
        const dialog = page.getByRole("dialog");
        await dialog.getByLabel("Note").fill(note);
        await dialog.getByLabel("May").fill(grants);
        await dialog.getByRole("button", { name: "Make it" }).click();
        const text = await dialog.locator(".command code").textContent();
        await dialog.getByRole("button", { name: "Done" }).click();
        return text!;
      };
      // The first one closes the server, and signs this page in.
      await make("operator", "*");
      expect((await fetch(`${server.httpBase}/api/streams`)).status).toBe(401);
      await page.getByRole("button", { name: "Sign out", exact: true }).waitFor();
      const listener = await make("listener", "read,list");

      await using guest = await PageSession.open(browser);
      await guest.page.goto(`${server.httpBase}/?token=${listener}`);
      const views = guest.page.getByRole("navigation", { name: "Views" });
      await views.getByRole("link", { name: "Streams" }).waitFor();
      expect(await views.getByRole("link", { name: "Access" }).count()).toBe(0);
      expect(guest.page.url()).not.toContain("token");

      await page.reload();
      const sessions = page.getByRole("group", { name: "Sessions" });
      await sessions.getByRole("row", { name: /This one/ }).waitFor();
      await sessions.getByRole("button", { name: /^Sign out/ }).click();
      await sessions.getByRole("button", { name: /^Sign out/ }).waitFor({ state: "detached" });
      await guest.page.goto(`${server.httpBase}/streams`);
      await guest.page.getByRole("textbox", { name: "Token" }).waitFor();
      await guest.page.goto(`${server.httpBase}/?token=${listener}`);
      await views.getByRole("link", { name: "Streams" }).waitFor();

      await page
        .getByRole("row", { name: /listener/ })
        .getByRole("button", { name: "Revoke" })
        .click();
      await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
      await page.getByRole("row", { name: /listener.*revoked/ }).waitFor();
      await guest.page.goto(`${server.httpBase}/streams`);
      await guest.page.getByRole("textbox", { name: "Token" }).waitFor();
    },
    limitMs,
  );
});
