/** A page of another origin uploads by tus-js-client, in a real browser: it may do so only where it is allowed. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Browser, chromium } from "playwright-core";
import { MiB } from "../../base/limits/units.ts";
import { sha256 } from "../harness/bytes.ts";
import { streamInfo } from "../harness/http/streams.ts";
import { streamIdOf } from "../harness/http/tus.ts";
import { TestServer, useServers } from "../harness/server.ts";

useServers();

/** A browser on a busy machine needs some seconds for a test. */
const limitMs = 90_000;
const executable = Bun.which("chromium") ?? Bun.which("chromium-browser") ?? Bun.which("google-chrome");
if (executable === null)
  process.stderr.write("browser-tus.test.ts is skipped: it needs Chromium, which is not installed\n");

const client = new URL("../../../node_modules/tus-js-client/dist/tus.min.js", import.meta.url);
const audio = new Uint8Array(3 * MiB).fill(7);

/** In the page: uploads in pieces, aborts after the first, and continues as a page that was opened again does. */
const upload = `async ({ endpoint, bytes }) => {
  const file = new File([new Uint8Array(bytes).fill(7)], "Grün.wav", { type: "audio/wav" });
  const options = { endpoint, chunkSize: 2 ** 20, retryDelays: [], metadata: { filename: file.name, filetype: file.type } };
  const run = (more) => new Promise((resolve) => {
    const upload = new tus.Upload(file, {
      ...options,
      ...more,
      onSuccess: () => resolve(upload.url),
      onError: ({ message }) => resolve("failed: " + message),
      onChunkComplete: () => {
        if (more.uploadUrl !== undefined) return;
        upload.abort();
        resolve(upload.url);
      },
    });
    upload.start();
  });
  const uploadUrl = await run({});
  return uploadUrl.startsWith("failed") ? uploadUrl : await run({ uploadUrl });
}`;

describe.skipIf(executable === null)("a page of another origin", () => {
  let browser: Browser;
  let server: TestServer;
  /** A server that is not ours. */
  let elsewhere: Bun.Server<undefined>;

  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: executable!,
      // Chromium has no sandbox for root, whom CI runs as. The server is to refuse, also where a browser does not.
      args: [
        "--no-sandbox",
        "--host-resolver-rules=MAP *.example 127.0.0.1",
        "--disable-features=LocalNetworkAccessChecks",
      ],
    });
    elsewhere = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => new Response("<!doctype html>", { headers: { "content-type": "text/html" } }),
    });
    const friend = `http://friend.example:${elsewhere.port}`;
    server = await TestServer.start({ flags: { "allow-origin": friend } });
  }, limitMs);

  afterAll(async () => {
    await browser?.close();
    await elsewhere?.stop(true);
    await server?.dispose();
  }, limitMs);

  async function uploadFrom(host: string): Promise<string> {
    await using context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`http://${host}:${elsewhere.port}/`);
    await page.addScriptTag({ content: await Bun.file(client).text() });
    const target = { endpoint: `${server.httpBase}/api/tus`, bytes: audio.length };
    return await page.evaluate<string>(`(${upload})(${JSON.stringify(target)})`);
  }

  test(
    "uploads and resumes if it is allowed",
    async () => {
      const streamId = streamIdOf(await uploadFrom("friend.example"));
      expect(await streamInfo(server.httpBase, streamId)).toMatchObject({
        state: "finished",
        sha256: sha256(audio),
        metadata: { contentType: "audio/wav", tags: { name: "Grün.wav" } },
      });
    },
    limitMs,
  );

  test(
    "uploads nothing if it is not",
    async () => {
      expect(await uploadFrom("evil.example")).toStartWith("failed");
    },
    limitMs,
  );
});
