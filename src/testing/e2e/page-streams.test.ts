/** Streams on the page, in a real browser: search, play, seek, change, share and remove. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { resolve } from "node:path";
import type { Browser, Page } from "playwright-core";
import { encodeWavHeader } from "../../codec/wav/wav.ts";
import { chromiumPath, launchChromium, reportWithoutChromium } from "../harness/chromium.ts";
import { PageSession, putSample } from "../harness/page-session.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();
reportWithoutChromium("page-streams.test.ts");

const limitMs = 60_000;
const samples = resolve(import.meta.dir, "../../../data/samples");
const speech = `${samples}/speech-16k-mono.wav`;
const sampleRate = 8000;
const hourSeconds = 3600;

/** An hour of silence, too long to be loaded before it plays. */
function longWav(): Uint8Array<ArrayBuffer> {
  const bytes = 2 * sampleRate * hourSeconds;
  const wav = new Uint8Array(44 + bytes);
  wav.set(encodeWavHeader(sampleRate, 1, bytes));
  return wav;
}

describe.skipIf(chromiumPath === null)("streams on the page", () => {
  let server: TestServer;
  let browser: Browser;
  let session: PageSession;
  let page: Page;

  beforeAll(async () => {
    [server, browser] = await Promise.all([TestServer.start(), launchChromium()]);
    const { httpBase } = server;
    await putSample(httpBase, "prelude", `${samples}/music-44k-stereo.mp3`, {
      title: "Prelude",
      artist: "Bach",
    });
    for (const id of ["one", "two", "three"]) await putSample(httpBase, id, speech, { title: `Take ${id}` });
    await fetch(`${httpBase}/api/streams/hour/audio`, { method: "PUT", body: longWav() });
    session = await PageSession.open(browser, { permissions: ["clipboard-read", "clipboard-write"] });
    page = session.page;
  }, limitMs);

  afterAll(async () => {
    await browser?.close();
    await server?.dispose();
  }, limitMs);

  const detail = () => page.getByRole("complementary");
  const state = async (id: string) => (await fetch(`${server.httpBase}/api/streams/${id}`)).status;

  test(
    "are found as one types, by title and by tag",
    async () => {
      await page.goto(`${server.httpBase}/streams`);
      await page.getByText("5 streams", { exact: true }).waitFor();
      await page.getByRole("searchbox").fill("take");
      await page.getByText("3 streams", { exact: true }).waitFor();
      await page.getByRole("searchbox").fill("");
      await page.getByRole("button", { name: "Bach" }).click();
      await page.getByText("1 stream", { exact: true }).waitFor();
      await page.getByRole("button", { name: "Remove the filter artist: Bach" }).click();
      await page.getByText("5 streams", { exact: true }).waitFor();
    },
    limitMs,
  );

  test(
    "play, go on in other views, and seek by ranges",
    async () => {
      const ranges: string[] = [];
      page.on("request", (request) => {
        const range = request.headers()["range"];
        if (request.url().includes("/hour/audio")) ranges.push(range ?? "none");
      });
      await page.getByRole("link", { name: "hour" }).click();
      await detail().getByRole("button", { name: "Play" }).click();
      const player = page.getByRole("region", { name: "Player" });
      await player.getByRole("button", { name: "Pause" }).waitFor();
      await page.getByRole("link", { name: "Library" }).click();
      await page.getByRole("heading", { name: "Library" }).waitFor();
      const position = player.getByRole("slider", { name: "Position" });
      await until("the player has begun", 10_000, async () => Number(await position.inputValue()) > 0.3);
      await position.fill("3300");
      await until("the player is there", 10_000, async () => Number(await position.inputValue()) > 3300.3);
      expect(ranges[0]).toBe("bytes=0-");
      const last = Number(/^bytes=(\d+)-/.exec(ranges.at(-1)!)?.[1]);
      expect(last).toBeGreaterThan(2 * sampleRate * 3200);
      await player.getByRole("button", { name: "Pause" }).click();
      await player.getByRole("button", { name: "Play", exact: true }).waitFor();
    },
    limitMs,
  );

  test(
    "have links to a second, which the player stands at",
    async () => {
      await page.goto(`${server.httpBase}/streams/hour?t=1800.5`);
      const position = page.getByRole("region", { name: "Player" }).getByRole("slider", { name: "Position" });
      await until("the player is there", 10_000, async () => (await position.inputValue()) === "1800.5");
    },
    limitMs,
  );

  test(
    "show the waveform that the server has computed",
    async () => {
      await page.goto(`${server.httpBase}/streams/prelude`);
      await detail().locator(".waveform-wave canvas").first().waitFor({ state: "attached" });
      const shades = await detail()
        .locator(".waveform-wave canvas")
        .first()
        .evaluate((canvas: HTMLCanvasElement) => {
          const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
          return data.filter((value, at) => at % 4 === 3 && value > 0).length;
        });
      expect(shades).toBeGreaterThan(500);
    },
    limitMs,
  );

  test(
    "get another title and other tags",
    async () => {
      await page.goto(`${server.httpBase}/streams/one`);
      await detail().getByRole("button", { name: "Edit" }).click();
      await detail().getByLabel("Value of title").fill("Étude № 1");
      await detail().getByLabel("Name of the tag").last().fill("mood");
      await detail().getByLabel("Value of mood").fill("calm");
      await detail().getByRole("button", { name: "Save" }).click();
      await detail().getByRole("heading", { name: "Étude № 1" }).waitFor();
      await page.getByRole("link", { name: "Étude № 1" }).waitFor();
      const answer = await fetch(`${server.httpBase}/api/streams/one`);
      const { metadata } = (await answer.json()) as { metadata: { tags: unknown } };
      expect(metadata.tags).toEqual({ title: "Étude № 1", mood: "calm" });
    },
    limitMs,
  );

  test(
    "are pinned, and shared by a link",
    async () => {
      await page.goto(`${server.httpBase}/streams/two`);
      await detail().getByRole("button", { name: "Pin", exact: true }).click();
      await detail().getByRole("button", { name: "Unpin" }).waitFor();
      await detail().getByRole("button", { name: "Share" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Make a link" }).click();
      const link = await page.getByRole("dialog").locator("code").innerText();
      const shared = await (await fetch(link)).bytes();
      expect(Bun.SHA256.hash(shared, "hex")).toBe(Bun.SHA256.hash(await Bun.file(speech).bytes(), "hex"));
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });
    },
    limitMs,
  );

  test(
    "come back by undo, and are removed without it",
    async () => {
      await page.goto(`${server.httpBase}/streams/two`);
      await detail().getByRole("button", { name: "Remove", exact: true }).click();
      await page.getByText("4 streams", { exact: true }).waitFor();
      await page.getByRole("button", { name: "Undo" }).click();
      await page.getByText("5 streams", { exact: true }).waitFor();
      await page.getByRole("link", { name: "Take three" }).click();
      await detail().getByRole("button", { name: "Remove", exact: true }).click();
      await page.getByRole("button", { name: "Dismiss" }).last().click();
      await until("the stream is removed", 10_000, async () => (await state("three")) === 404);
      expect(await state("two")).toBe(200);
      expect(session.errors).toEqual([]);
    },
    limitMs,
  );
});
