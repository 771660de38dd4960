/** The library on the page, in a real browser: songs are dropped into it, replaced and removed. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { chromiumPath, launchChromium, reportWithoutChromium } from "../harness/chromium.ts";
import { PageSession } from "../harness/page-session.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();
reportWithoutChromium("page-library.test.ts");

const limitMs = 60_000;

/** Drops a file of this text onto the page. */
async function drop(page: Page, name: string, text: string): Promise<void> {
  await page.evaluate(
    ([name, text]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([text!], name!, { type: "audio/wav" }));
      const event = { dataTransfer: transfer, bubbles: true, cancelable: true };
      document.body.dispatchEvent(new DragEvent("dragover", event));
      document.body.dispatchEvent(new DragEvent("drop", event));
    },
    [name, text],
  );
}

describe.skipIf(chromiumPath === null)("the library on the page", () => {
  let server: TestServer;
  let browser: Browser;

  beforeAll(async () => {
    [server, browser] = await Promise.all([TestServer.start(), launchChromium()]);
  }, limitMs);

  afterAll(async () => {
    await browser?.close();
    await server?.dispose();
  }, limitMs);

  const stored = (name: string) => join(server.folder, "library", name);

  test(
    "takes what is dropped, asks before it replaces a song, and removes one that nobody brings back",
    async () => {
      await using session = await PageSession.open(browser);
      const { page, errors } = session;
      await page.goto(`${server.httpBase}/library`);
      await page.getByRole("heading", { name: "No songs yet" }).waitFor();
      await drop(page, "chimes.wav", "first");
      const row = page.getByRole("listitem").filter({ hasText: "chimes.wav" });
      await row.getByRole("button", { name: "Play chimes.wav" }).waitFor();
      expect(readFileSync(stored("chimes.wav"), "utf8")).toBe("first");

      await drop(page, "chimes.wav", "second");
      const uploads = page.getByRole("region", { name: "Uploads into the library" });
      await uploads.getByText("The library has another song of this name.").waitFor();
      expect(readFileSync(stored("chimes.wav"), "utf8")).toBe("first");
      await uploads.getByRole("button", { name: "Replace it" }).click();
      await uploads.waitFor({ state: "detached" });
      expect(readFileSync(stored("chimes.wav"), "utf8")).toBe("second");

      await row.getByRole("button", { name: "Remove chimes.wav" }).click();
      await page.getByRole("button", { name: "Undo" }).click();
      await row.waitFor();
      await row.getByRole("button", { name: "Remove chimes.wav" }).click();
      await page.getByRole("button", { name: "Dismiss" }).first().click();
      await until("the song is removed", 5_000, () => !existsSync(stored("chimes.wav")));
      await page.getByRole("heading", { name: "No songs yet" }).waitFor();
      expect((await (await fetch(`${server.httpBase}/api/streams`)).json()) as object).toMatchObject({
        total: 0,
      });
      // The browser reports the refusal of the second song.
      expect(errors.filter((error) => !error.includes("409"))).toEqual([]);
    },
    limitMs,
  );

  test(
    "shows how far a song is, and ends an upload that the user stops",
    async () => {
      await using session = await PageSession.open(browser);
      const { page } = session;
      await page.goto(`${server.httpBase}/library`);
      await page.getByRole("heading", { name: "Library", level: 1 }).waitFor();
      const devtools = await page.context().newCDPSession(page);
      const slowly = { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 100_000 };
      await devtools.send("Network.emulateNetworkConditions", slowly);
      await drop(page, "long.wav", "x".repeat(3_000_000));
      const progress = page.getByRole("progressbar", { name: "Upload of long.wav" });
      await until(
        "some progress",
        10_000,
        async () => Number(await progress.getAttribute("aria-valuenow")) > 2,
      );
      await page.getByRole("button", { name: "Stop long.wav" }).click();
      await progress.waitFor({ state: "detached" });
      expect(existsSync(stored("long.wav"))).toBe(false);
    },
    limitMs,
  );
});
