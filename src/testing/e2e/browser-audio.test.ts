/** Audio over plain HTTP in a real browser: it plays, and seeks by ranges. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { resolve } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { encodeWavHeader } from "../../codec/wav/wav.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { TestServer, useServers } from "../harness/server.ts";

useServers();

const limitMs = 90_000;
const executable = Bun.which("chromium") ?? Bun.which("chromium-browser") ?? Bun.which("google-chrome");
if (executable === null)
  process.stderr.write("browser-audio.test.ts is skipped: it needs Chromium, which is not installed\n");

const script = await Bun.file(new URL("../fixtures/play-audio.js", import.meta.url)).text();
const samples = resolve(import.meta.dir, "../../../data/samples");
const sampleRate = 8000;
const twoHoursSeconds = 7200;

/** Two hours of silence. */
function longWav(): Uint8Array {
  const bytes = 2 * sampleRate * twoHoursSeconds;
  const wav = new Uint8Array(44 + bytes);
  wav.set(encodeWavHeader(sampleRate, 1, bytes));
  return wav;
}

/** What `play-audio.js` results in. Times are seconds. */
interface Played {
  duration: number;
  time: number;
  error: string | null;
}

describe.skipIf(executable === null)("an audio element", () => {
  let server: TestServer;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;

  beforeAll(async () => {
    server = await TestServer.start();
    using peer = await AudioCachePeer.open(server.url);
    for (const name of ["music-44k-stereo.mp3", "speech-16k-mono.opus", "speech-16k-mono.wav"]) {
      await peer.upload(name, await Bun.file(`${samples}/${name}`).bytes());
    }
    await peer.upload("two-hours", longWav(), 1024 * 1024);
    browser = await chromium.launch({
      executablePath: executable!,
      // Chromium has no sandbox for root, whom CI runs as.
      args: ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
    });
    context = await browser.newContext({ bypassCSP: true });
    page = await context.newPage();
    await page.goto(`${server.httpBase}/`);
    await page.addScriptTag({ content: script });
  }, limitMs);

  afterAll(async () => {
    await browser?.close();
    await server?.dispose();
  }, limitMs);

  function play(id: string, from: number): Promise<Played> {
    return page.evaluate<Played>(`playAudio("/api/streams/${id}/audio", ${from})`);
  }

  test.each(["music-44k-stereo.mp3", "speech-16k-mono.opus", "speech-16k-mono.wav"])(
    "plays %s",
    async (name) => {
      const played = await play(name, 0);
      expect(played.error).toBeNull();
      expect(played.duration).toBeGreaterThan(1);
      expect(played.time).toBeGreaterThanOrEqual(0.5);
    },
    limitMs,
  );

  test(
    "seeks to the end of two hours without loading what lies between",
    async () => {
      const ranges: string[] = [];
      page.on("request", (request) => {
        if (request.url().includes("two-hours")) ranges.push(request.headers()["range"] ?? "none");
      });
      const from = twoHoursSeconds - 60;
      const played = await play("two-hours", from);
      expect(played).toMatchObject({ error: null, duration: twoHoursSeconds });
      expect(played.time).toBeGreaterThanOrEqual(from + 0.5);
      expect(ranges[0]).toBe("bytes=0-");
      const last = Number(/^bytes=(\d+)-$/.exec(ranges.at(-1)!)?.[1]);
      expect(last).toBeGreaterThan(2 * sampleRate * (from - 60));
    },
    limitMs,
  );
});
