/** Uploads by the page, in a real browser: dropped, paused, interrupted by a crash and by a reload, and continued. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { chromiumPath, launchChromium, reportWithoutChromium } from "../harness/chromium.ts";
import { PageSession } from "../harness/page-session.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();
reportWithoutChromium("page-uploads.test.ts");

const limitMs = 60_000;
const MB = 1_000_000;

interface Listed {
  streamId: string;
  state: string;
  name: string;
  size: number;
  sha256: string | null;
}

/** Drops a file of these bytes onto the page, the same each time, and returns their SHA-256. */
async function drop(page: Page, name: string, bytes: number): Promise<string> {
  return await page.evaluate(
    async ({ name, bytes }) => {
      const words = new Uint32Array(bytes / 4);
      let word = bytes;
      for (let at = 0; at < words.length; at++) {
        word = (Math.imul(word, 1_664_525) + 1_013_904_223) >>> 0;
        words[at] = word;
      }
      const transfer = new DataTransfer();
      transfer.items.add(new File([words], name, { type: "audio/wav", lastModified: 1_700_000_000_000 }));
      const event = { dataTransfer: transfer, bubbles: true, cancelable: true };
      document.body.dispatchEvent(new DragEvent("dragover", event));
      document.body.dispatchEvent(new DragEvent("drop", event));
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", words));
      return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
    },
    { name, bytes },
  );
}

/** Another tab of the same browser has its own uploads, and leaves those of the first one alone. */
async function expectOwnUploads(context: BrowserContext, address: string): Promise<void> {
  const other = await context.newPage();
  await other.goto(address);
  await other.getByRole("heading", { name: "Streams", level: 1 }).waitFor();
  await drop(other, "second.wav", MB);
  await other.getByText("verified").waitFor();
  expect(await other.getByRole("region", { name: "Uploads" }).getByRole("listitem").count()).toBe(1);
  await other.close();
}

describe.skipIf(chromiumPath === null)("uploads by the page", () => {
  let server: TestServer;
  let browser: Browser;
  let session: PageSession;
  let page: Page;

  beforeAll(async () => {
    [server, browser] = await Promise.all([TestServer.start(), launchChromium()]);
    await server.restart({ flags: { port: Number(new URL(server.httpBase).port) } });
  }, limitMs);

  beforeEach(async () => {
    session = await PageSession.open(browser);
    page = session.page;
    await page.goto(`${server.httpBase}/streams`);
    await page.getByRole("heading", { name: "Streams", level: 1 }).waitFor();
  }, limitMs);

  afterAll(async () => {
    await browser?.close();
    await server?.dispose();
  }, limitMs);

  async function find(name: string): Promise<Listed | undefined> {
    const answer = await fetch(`${server.httpBase}/api/streams?limit=1000`).catch(() => undefined);
    if (answer?.ok !== true) return undefined;
    const { streams } = (await answer.json()) as { streams: Listed[] };
    return streams.find((stream) => stream.name === name);
  }

  const isUnderWay = (name: string) =>
    until(`${name} is under way`, 20_000, async () => ((await find(name))?.size ?? 0) > 2 * MB);
  const finished = (name: string) =>
    until(`${name} is finished`, 40_000, async () => {
      const stream = await find(name);
      return stream?.state === "finished" ? stream : undefined;
    });

  test(
    "show their SHA-256, and their stream in the list",
    async () => {
      const sha256 = await drop(page, "album/первый.wav", 3 * MB);
      await page.getByText(`SHA-256 ${sha256}`).waitFor();
      await page.getByText("verified").waitFor();
      await page.getByRole("list", { name: "Streams" }).getByRole("link", { name: "первый.wav" }).waitFor();
      expect((await finished("первый.wav")).sha256).toBe(sha256);
      expect(session.errors).toEqual([]);
    },
    limitMs,
  );

  test(
    "leave out what is no audio",
    async () => {
      await page.evaluate(() => {
        const transfer = new DataTransfer();
        transfer.items.add(new File(["hello"], "notes.txt", { type: "text/plain" }));
        document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true }));
      });
      await page.getByText("1 file is no audio, and not uploaded").waitFor();
      expect(await find("notes.txt")).toBeUndefined();
    },
    limitMs,
  );

  test(
    "continue after the server was killed",
    async () => {
      const sha256 = await drop(page, "killed.wav", 80 * MB);
      await isUnderWay("killed.wav");
      await server.kill9();
      await server.restart();
      expect(await finished("killed.wav")).toMatchObject({ size: 80 * MB, sha256 });
      await page.getByText(`SHA-256 ${sha256}`).waitFor();
    },
    limitMs,
  );

  test(
    "continue after a pause, and after a reload of the page",
    async () => {
      const dropped = drop(page, "reloaded.wav", 80 * MB);
      await isUnderWay("reloaded.wav");
      await page.getByRole("button", { name: "Pause reloaded.wav" }).click();
      await page.getByText(/^Paused/).waitFor();
      const sha256 = await dropped;
      const { streamId, size } = (await find("reloaded.wav"))!;
      expect(size).toBeLessThan(80 * MB);
      await expectOwnUploads(page.context(), page.url());
      await page.reload();
      expect(await finished("reloaded.wav")).toMatchObject({ streamId, size: 80 * MB, sha256 });
    },
    limitMs,
  );
});
