/** What web pages can do to the server, tried in a real browser. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Browser, chromium, type Page } from "playwright-core";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { countingPayload, IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

/** A browser on a busy machine needs some seconds for a test. */
const limitMs = 90_000;
const executable = Bun.which("chromium") ?? Bun.which("chromium-browser") ?? Bun.which("google-chrome");
if (executable === null)
  process.stderr.write("browser.test.ts is skipped: it needs Chromium, which is not installed\n");

type Results = Record<string, "worked" | "refused" | "sent">;

const script = await Bun.file(new URL("../fixtures/page-attempts.js", import.meta.url)).text();
const html = `<!doctype html><title>page</title><script>${script}</script>`;

/** Eight times as fast as real time: Chromium plays nothing before it has some 200 KiB. */
function sendAudio(device: IngestDevice): void {
  for (let frame = 0; frame < 8; frame++) device.send(countingPayload(0, pcmFormat.frameSamples));
}

/** Gives the page a sandbox, as a frame may have: its origin is "null". */
async function sandboxed(page: Page): Promise<void> {
  const headers = { "content-security-policy": "sandbox allow-scripts" };
  await page.route("**/", (route) => route.fulfill({ body: html, contentType: "text/html", headers }));
}

describe.skipIf(executable === null)("a web page", () => {
  let browser: Browser;
  let server: TestServer;
  let port: string;
  let device: IngestDevice;
  let sending: Timer;
  /** A server that is not ours. */
  let elsewhere: Bun.Server<undefined>;

  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: executable!,
      args: [
        // Chromium has no sandbox for root, whom CI runs as.
        "--no-sandbox",
        "--host-resolver-rules=MAP *.example 127.0.0.1",
        // The server is to refuse, also where a browser does not.
        "--disable-features=LocalNetworkAccessChecks",
      ],
    });
    elsewhere = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => new Response(html, { headers: { "content-type": "text/html" } }),
    });
    const friend = `http://friend.example:${elsewhere.port}`;
    server = await TestServer.start({ flags: { "allow-origin": friend, "allow-host": "own.example" } });
    ({ port } = new URL(server.url));
    device = await IngestDevice.open(server.httpBase, pcmFormat, "device");
    sending = setInterval(() => sendAudio(device), 20);
  }, limitMs);

  afterAll(async () => {
    clearInterval(sending);
    device?.[Symbol.dispose]();
    await browser?.close();
    await elsewhere?.stop(true);
    await server?.dispose();
  }, limitMs);

  /** Opens a page; its script tries everything on the server that it knows as `host`. */
  async function attempt(
    address: string,
    host: string,
    prepare?: (page: Page) => Promise<void>,
  ): Promise<Results> {
    await using context = await browser.newContext({ bypassCSP: true });
    const page = await context.newPage();
    await prepare?.(page);
    await page.goto(address);
    await page.addScriptTag({ content: script });
    return await page.evaluate<Results>(`attemptAll("http://${host}:${port}")`);
  }

  async function streams(): Promise<string[]> {
    const response = await fetch(`${server.httpBase}/api/streams`);
    const { streams } = (await response.json()) as { streams: { streamId: string }[] };
    return streams.map(({ streamId }) => streamId).sort();
  }

  async function recordedDevices(): Promise<string[]> {
    const names = await Array.fromAsync(new Bun.Glob("*/*.wav").scan(`${server.folder}/received`));
    return [...new Set(names.map((name) => name.split("/")[0]!))];
  }

  /** Both streams are there before each test; a page that can removes one. */
  async function prepareStreams(): Promise<void> {
    using peer = await AudioCachePeer.open(server.url);
    const present = await streams();
    for (const id of ["kept", "removed"]) {
      if (!present.includes(id)) await peer.upload(id, Buffer.from("audio"));
    }
    await until("live audio", 10_000, async () => (await recordedDevices()).includes("device"));
  }

  /** `blocked` names attempts that the browser itself blocks, since they ask for no permission to read. */
  async function expectEverything(address: string, host: string, blocked: string[] = []): Promise<void> {
    await prepareStreams();
    const results = Object.entries(await attempt(address, host));
    expect(results.length).toBeGreaterThan(10);
    expect(results.filter(([, result]) => result === "refused").map(([name]) => name)).toEqual(blocked);
    expect(await streams()).toEqual(["kept"]);
  }

  async function expectNothing(address: string, host: string, prepare?: (page: Page) => Promise<void>) {
    await prepareStreams();
    const results = await attempt(address, host, prepare);
    expect(Object.values(results).length).toBeGreaterThan(10);
    expect(results).not.toContainValue("worked");
    expect(await streams()).toEqual(["kept", "removed"]);
    expect(await recordedDevices()).toEqual(["device"]);
  }

  test(
    "of this server can do all of it, which shows that the attempts work",
    async () => {
      await expectEverything(`http://localhost:${port}/`, "localhost");
      await expectEverything(`http://own.example:${port}/`, "own.example");
    },
    limitMs,
  );

  test(
    "of an allowed origin can, too",
    async () => {
      const blocked = ["blindPost", "liveSound", "blindGet"];
      await expectEverything(`http://friend.example:${elsewhere.port}/`, "localhost", blocked);
    },
    limitMs,
  );

  test(
    "of another port of this machine can do nothing",
    async () => {
      await expectNothing(`http://localhost:${elsewhere.port}/`, "localhost");
      await expectNothing(`http://127.0.0.1:${elsewhere.port}/`, "127.0.0.1");
      await expectNothing(`http://localhost:${elsewhere.port}/`, "127.0.0.1");
    },
    limitMs,
  );

  test(
    "of another site can do nothing",
    async () => {
      await expectNothing(`http://evil.example:${elsewhere.port}/`, "localhost");
    },
    limitMs,
  );

  test(
    "without an origin, as in a sandboxed frame, can do nothing",
    async () => {
      await expectNothing(`http://evil.example:${elsewhere.port}/`, "localhost", sandboxed);
    },
    limitMs,
  );

  test(
    "whose name DNS rebinding points here can do nothing",
    async () => {
      // The page came from the attacker's address; now its name, and so its origin, is this server.
      const rebind = async (page: Page): Promise<void> => {
        await page.route(`http://evil.example:${port}/`, (route) =>
          route.fulfill({ body: html, contentType: "text/html" }),
        );
      };
      await expectNothing(`http://evil.example:${port}/`, "evil.example", rebind);
    },
    limitMs,
  );

  test(
    "is not needed to hear live audio in a tab",
    async () => {
      await using context = await browser.newContext();
      const page = await context.newPage();
      await page.goto(`http://localhost:${port}/live/device.wav`, { waitUntil: "commit" });
      await until("live audio in the tab", 20_000, () =>
        page.evaluate<boolean>("(document.querySelector('video')?.readyState ?? 0) > 0"),
      );
    },
    limitMs,
  );

  test(
    "cannot show this server in a frame",
    async () => {
      await using context = await browser.newContext();
      const page = await context.newPage();
      await page.goto(`http://localhost:${elsewhere.port}/`);
      await page.setContent(`<iframe src="http://localhost:${port}/"></iframe>`);
      expect(page.frames().length).toBe(2);
      expect(await page.frames()[1]!.content()).not.toContain("Wavecache");
    },
    limitMs,
  );

  test(
    "may link to this server's page",
    async () => {
      await using context = await browser.newContext();
      const page = await context.newPage();
      await page.goto(`http://evil.example:${elsewhere.port}/`);
      await page.setContent(`<a href="http://localhost:${port}/">link</a>`);
      await page.click("a");
      await page.waitForURL(`http://localhost:${port}/`);
      await page.locator("h1", { hasText: "Overview" }).waitFor();
      expect(await page.title()).toContain("Wavecache");
    },
    limitMs,
  );
});
