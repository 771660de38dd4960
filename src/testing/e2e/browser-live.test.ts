/** Live audio in a real browser: how soon it is heard, and how far behind the device it is. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Browser, chromium, type Page } from "playwright-core";
import type { Listening } from "../fixtures/live-page.ts";
import { type DeviceFormat, IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

const limitMs = 90_000;
const executable = Bun.which("chromium") ?? Bun.which("chromium-browser") ?? Bun.which("google-chrome");
if (executable === null)
  process.stderr.write("browser-live.test.ts is skipped: it needs Chromium, which is not installed\n");

async function built(path: string): Promise<string> {
  const { outputs } = await Bun.build({ entrypoints: [`${import.meta.dir}/../../${path}`] });
  return await outputs[0]!.text();
}

const script = (text: string) => new Response(text, { headers: { "content-type": "text/javascript" } });

/** Serves the page and its scripts, as a site beside the server does. */
async function openSite(): Promise<Bun.Server<undefined>> {
  const [page, worklet] = [
    await built("testing/fixtures/live-page.ts"),
    await built("client/live/worklet.ts"),
  ];
  const html = `<!doctype html><button>listen</button><script type="module" src="/page.js"></script>`;
  return Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    routes: {
      "/": () => new Response(html, { headers: { "content-type": "text/html" } }),
      "/page.js": () => script(page),
      "/worklet.js": () => script(worklet),
    },
  });
}

/** A tone of 400 Hz in real time, until it is disposed. */
class Tone {
  readonly #device: IngestDevice;
  readonly #frame: Uint8Array;
  readonly #timer: Timer;
  #startedMs = performance.now();
  #sent = 0;

  static async open(server: TestServer, name: string, format: Partial<DeviceFormat>): Promise<Tone> {
    return new Tone(await IngestDevice.open(server.httpBase, { ...pcmFormat, ...format }, name));
  }

  private constructor(device: IngestDevice) {
    const { sampleRate, channels, frameSamples } = device.format;
    const samples = Array.from({ length: frameSamples * channels }, (_, at) =>
      Math.round(12_000 * Math.sin((2 * Math.PI * 400 * Math.floor(at / channels)) / sampleRate)),
    );
    this.#device = device;
    this.#frame = new Uint8Array(Int16Array.from(samples).buffer);
    this.#timer = setInterval(() => this.#send(), 10);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#device.close();
  }

  #send(): void {
    const { sampleRate, frameSamples } = this.#device.format;
    const due = ((performance.now() - this.#startedMs) / 1000) * (sampleRate / frameSamples);
    for (; this.#sent < due; this.#sent++) this.#device.send(this.#frame);
  }
}

describe.skipIf(executable === null)("live audio in a browser", () => {
  let server: TestServer;
  let browser: Browser;
  let page: Page;
  let site: Bun.Server<undefined>;

  beforeAll(async () => {
    site = await openSite();
    server = await TestServer.start({ flags: { "allow-origin": origin() } });
    browser = await chromium.launch({
      executablePath: executable!,
      // Chromium has no sandbox for root, whom CI runs as.
      args: ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
    });
    page = await browser.newPage();
  }, limitMs);

  afterAll(async () => {
    await browser?.close();
    await server?.dispose();
    await site?.stop(true);
  }, limitMs);

  const origin = () => `http://127.0.0.1:${site.port}`;

  const listening = () => page.evaluate<Listening>("listening");

  async function listen(name: string): Promise<void> {
    await page.goto(origin());
    const url = `${server.httpBase.replace("http", "ws")}/live/${name}`;
    await page.evaluate(
      `document.querySelector("button").addEventListener("click", () => startListening("${url}"))`,
    );
    await page.click("button");
  }

  async function untilRecorded(name: string): Promise<void> {
    const found = async () => (await fetch(`${server.httpBase}/live/${name}.wav`, { method: "HEAD" })).ok;
    await until("a recording to listen to", 5000, found);
  }

  test.each([4_000, 16_000, 44_100, 192_000])(
    "at %d Hz is heard within a second of the click, a moment after the device sent it",
    async (sampleRate) => {
      const name = `mic${sampleRate}`;
      await using _ = await Tone.open(server, name, {
        sampleRate,
        channels: 2,
        frameSamples: sampleRate / 50,
      });
      await untilRecorded(name);
      await listen(name);
      await until("sound", 10_000, async () => (await listening()).firstSoundMs !== null);
      await until("a report", 10_000, async () => (await listening()).report?.isPlaying ?? false);
      const { firstSoundMs, latencyMs, peak } = await listening();
      process.stderr.write(
        `${sampleRate} Hz: sound ${Math.round(firstSoundMs!)} ms after the click, ${Math.round(latencyMs!)} ms after the device\n`,
      );
      // A loaded machine delays both. A browser that fills a buffer first, as for a WAV, takes longer than this.
      expect(firstSoundMs).toBeLessThan(3_000);
      expect(latencyMs).toBeWithin(0, 3_000);
      expect(peak).toBeWithin(0.3, 0.45);
    },
    limitMs,
  );

  test(
    "waits for a device that is gone, and plays it again when it is back",
    async () => {
      {
        await using _ = await Tone.open(server, "porch", {});
        await untilRecorded("porch");
        await listen("porch");
        await until("sound", 10_000, async () => (await listening()).firstSoundMs !== null);
      }
      await until("the wait", 10_000, async () => (await listening()).states.includes("waiting"));
      await until("silence", 10_000, async () => (await listening()).peak < 0.001);
      await using _ = await Tone.open(server, "porch", { sampleRate: 8_000, frameSamples: 160 });
      await until("sound", 10_000, async () => (await listening()).peak > 0.3);
      expect((await listening()).states.at(-1)).toBe("playing");
    },
    limitMs,
  );

  test(
    "as Opus starts at once in an audio element, if the device has sent for five seconds",
    async () => {
      await using _ = await Tone.open(server, "hall", {});
      await untilRecorded("hall");
      await Bun.sleep(5_500);
      await page.goto(origin());
      const startMs = await page.evaluate<number>(`new Promise((done, fail) => {
        const startedAt = performance.now();
        const audio = new Audio();
        audio.crossOrigin = "anonymous";
        audio.src = "${server.httpBase}/live/hall.opus";
        audio.addEventListener("error", () => fail(audio.error));
        setInterval(() => audio.currentTime > 0 && done(performance.now() - startedAt), 5);
        audio.play().catch(fail);
      })`);
      process.stderr.write(`Opus: sound ${Math.round(startMs)} ms after the click\n`);
      // Without the audio before, the browser would wait for 32 KiB: four seconds.
      expect(startMs).toBeLessThan(3_500);
    },
    limitMs,
  );
});
