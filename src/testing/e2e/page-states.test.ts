/** The states of the views: nothing there, a server that goes and comes back, 10,000 rows, and names that break pages. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFile, mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Browser, Page } from "playwright-core";
import { axeFindings } from "../harness/axe.ts";
import { chromiumPath, launchChromium, reportWithoutChromium } from "../harness/chromium.ts";
import { PageSession, putSample } from "../harness/page-session.ts";
import { TestServer, useServers } from "../harness/server.ts";

useServers();
reportWithoutChromium("page-states.test.ts");

const limitMs = 60_000;
const speech = resolve(import.meta.dir, "../../../data/samples/speech-16k-mono.wav");
const phone = { viewport: { width: 360, height: 740 } };
const manyRows = 10_000;
/** Of the rows that exist while 10,000 are there: those in the window, and some around them. */
const maxElements = 2_500;
const startMs = Date.UTC(2026, 0, 15);

const hostile = `<img src=x onerror="document.title='owned'">`;
const rightToLeft = "\u202eمقدمة موسيقية طويلة جدا لاختبار العرض\u202c";
const long = `Überlänge${"-ohne-Ende".repeat(20)}`;

/** What a view says while there is nothing, and whether it names a command that changes that. */
const empty = [
  ["/", "No device sends audio", true],
  ["/streams", "No streams yet", true],
  ["/recordings", "Nothing recorded yet", true],
  ["/live", "No device sends audio", true],
  ["/devices", "No devices yet", true],
  ["/library", "No songs yet", true],
  ["/storage", "Nothing is pinned", true],
  ["/access", "There is no token", false],
] as const;

/** Views that follow the server, and notice by themselves that it has gone. */
const following = [
  ["/", "Overview"],
  ["/recordings", "Recordings"],
  ["/live", "Live"],
  ["/devices", "Devices"],
  ["/events", "Events"],
] as const;

/** Answers of the API with as many rows as no test stores. */
const many = [
  [
    "/streams",
    ".row",
    "**/api/streams?*",
    (at: number) => ({
      streamId: `Row ${at}`,
      state: "finished",
      damaged: false,
      size: 1_000,
      sha256: null,
      format: "wav",
      createdAt: new Date(startMs).toISOString(),
      metadata: { contentType: "audio/wav", tags: {} },
      audio: null,
    }),
  ],
  [
    "/recordings",
    ".device-day",
    "**/api/recorded*",
    (at: number) => ({
      name: `Row ${at}`,
      device: `Row ${at}`,
      earliest: new Date(startMs).toISOString(),
      latest: new Date(startMs + 60_000).toISOString(),
    }),
  ],
  [
    "/library",
    ".row",
    "**/api/library?*",
    (at: number) => ({ name: `Row ${at}`, size: 1_000, type: "audio/wav", duration: 1 }),
  ],
] as const;

async function fits(page: Page): Promise<boolean> {
  return await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
}

/** An answer with all rows, under each name that a list of the API has for them. */
function answerOf(rowOf: (at: number) => unknown): string {
  const rows = Array.from({ length: manyRows }, (_, at) => rowOf(at));
  return JSON.stringify({ streams: rows, devices: rows, songs: rows, total: manyRows, next: null });
}

describe.skipIf(chromiumPath === null)("a view of the page", () => {
  let server: TestServer;
  let browser: Browser;

  beforeAll(async () => {
    [server, browser] = await Promise.all([
      TestServer.start({ flags: { "grpc-port": 0 } }),
      launchChromium(),
    ]);
  }, limitMs);

  afterAll(async () => {
    await browser?.close();
    await server?.dispose();
  }, limitMs);

  test(
    "that is empty says what to do, on a phone, too",
    async () => {
      await using session = await PageSession.open(browser, { ...phone, bypassCSP: true });
      const { page, errors } = session;
      for (const [path, text, hasCommand] of empty) {
        await page.goto(`${server.httpBase}${path}`);
        await page.getByText(text).first().waitFor();
        expect([path, await page.locator(".command code").count()]).toEqual([
          path,
          hasCommand ? expect.any(Number) : 0,
        ]);
        if (hasCommand) await page.locator(".command code").first().waitFor();
        expect([path, await axeFindings(page), await fits(page)]).toEqual([path, [], true]);
      }
      expect(errors).toEqual([]);
    },
    limitMs,
  );

  test.each(many)(
    "draws only the rows of 10,000 that are on screen, and the last ones at the end: %s",
    async (path, row, address, rowOf) => {
      await using session = await PageSession.open(browser);
      const { page } = session;
      const body = answerOf(rowOf);
      await page.route(address, (route) => route.fulfill({ contentType: "application/json", body }));
      await page.goto(`${server.httpBase}${path}`);
      await page.locator(row).first().waitFor();
      expect(await page.evaluate(() => document.querySelectorAll("*").length)).toBeLessThan(maxElements);
      await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
      await page
        .getByText(`Row ${manyRows - 1}`)
        .first()
        .waitFor();
      expect(await page.evaluate(() => document.querySelectorAll("*").length)).toBeLessThan(maxElements);
    },
    limitMs,
  );

  test(
    "says by itself that the server has gone, and continues when it is back",
    async () => {
      await using own = await TestServer.start({ flags: { "grpc-port": 0 } });
      const base = own.httpBase;
      const sessions = await Promise.all(following.map(() => PageSession.open(browser)));
      try {
        for (const [at, [path, title]] of following.entries()) {
          const { page } = sessions[at]!;
          await page.goto(`${base}${path}`);
          await page.getByRole("heading", { name: title, level: 1 }).waitFor({ state: "attached" });
          await page.locator(".skeleton").first().waitFor({ state: "detached" });
        }
        await own.kill9();
        for (const { page } of sessions) await page.getByText("The server does not answer").waitFor();
        await own.restart({ flags: { "grpc-port": 0, port: Number(new URL(base).port) } });
        for (const { page } of sessions) {
          await page.getByText("The server does not answer").waitFor({ state: "detached" });
          expect(await page.locator(".failure").count()).toBe(0);
        }
      } finally {
        await Promise.all(sessions.map((session) => session[Symbol.asyncDispose]()));
      }
    },
    limitMs,
  );

  test(
    "shows names that are markup, long or from right to left as they are, within a phone",
    async () => {
      await using own = await TestServer.start({ flags: { "grpc-port": 0 } });
      const names = [hostile, rightToLeft, long];
      const library = join(own.folder, "library");
      await mkdir(library, { recursive: true });
      for (const [at, name] of names.entries()) {
        await putSample(own.httpBase, `s${at}`, speech, { title: name, artist: name });
        await copyFile(speech, join(library, `${name}.wav`));
      }
      await using session = await PageSession.open(browser, phone);
      const { page, errors } = session;
      const titles: string[] = [];
      for (const path of ["/", "/streams", "/streams/s0", "/streams/s1", "/streams/s2", "/events"]) {
        await page.goto(`${own.httpBase}${path}`);
        await page.getByText("s0").or(page.getByText(hostile)).or(page.getByText(long)).first().waitFor();
        expect([path, await fits(page)]).toEqual([path, true]);
        titles.push(await page.title());
      }
      await page.goto(`${own.httpBase}/library`);
      for (const name of names) await page.getByText(`${name}.wav`).waitFor();
      expect(await fits(page)).toBe(true);
      expect(titles.filter((title) => !title.endsWith("Wavecache"))).toEqual([]);
      expect(await page.locator("img").count()).toBe(0);
      expect(errors).toEqual([]);
    },
    limitMs,
  );
});
