/** The session of a browser on a server with tokens: what pages can do with its cookie, tried in a real browser. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { createToken, type MadeToken } from "../harness/access.ts";
import { chromiumPath, reportWithoutChromium } from "../harness/chromium.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();
reportWithoutChromium("browser-session.test.ts");

/** A browser on a busy machine needs some seconds for a test. */
const limitMs = 90_000;

type Results = Record<string, "worked" | "refused" | "sent">;

const script = await Bun.file(new URL("../fixtures/page-attempts.js", import.meta.url)).text();
const html = "<!doctype html><title>page</title>";
const headers = { "content-type": "text/html" };

describe.skipIf(chromiumPath === null)("a session in a browser", () => {
  let browser: Browser;
  let server: TestServer;
  let token: MadeToken;
  let port: string;
  /** A server that is not ours. */
  let elsewhere: Bun.Server<undefined>;
  /** What browsers have sent to it for its page. */
  const cookies: string[] = [];

  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: chromiumPath!,
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
      fetch(request) {
        if (new URL(request.url).pathname === "/") cookies.push(request.headers.get("cookie") ?? "");
        return new Response(html, { headers });
      },
    });
    server = await TestServer.start();
    ({ port } = new URL(server.url));
    token = await createToken(server, ["*"]);
    await until("the server is closed", 5_000, async () => {
      return (await fetch(`${server.httpBase}/api/streams`)).status === 401;
    });
  }, limitMs);

  afterAll(async () => {
    await browser?.close();
    await elsewhere?.stop(true);
    await server?.dispose();
  }, limitMs);

  beforeEach(async () => {
    for (const id of ["kept", "removed"]) {
      const path = `${server.httpBase}/api/streams/${id}/audio`;
      const answer = await fetch(path, { method: "PUT", body: "audio", headers: token.headers });
      expect([200, 201, 409]).toContain(answer.status);
    }
  });

  async function streams(): Promise<string[]> {
    const answer = await fetch(`${server.httpBase}/api/streams`, { headers: token.headers });
    const { streams: rows } = (await answer.json()) as { streams: { streamId: string }[] };
    return rows.map(({ streamId }) => streamId).sort();
  }

  async function withContext(act: (context: BrowserContext) => Promise<void>): Promise<void> {
    await using context = await browser.newContext({ bypassCSP: true });
    await act(context);
  }

  /** Signs the browser in, on the server's own page, which stays open. */
  async function signIn(context: BrowserContext): Promise<Page> {
    const page = await context.newPage();
    await page.goto(`http://localhost:${port}/`);
    const options = JSON.stringify({ method: "POST", headers: token.headers });
    expect(await page.evaluate<number>(`fetch("/api/session", ${options}).then((it) => it.status)`)).toBe(
      201,
    );
    return page;
  }

  async function attempt(page: Page, host: string): Promise<Results> {
    await page.addScriptTag({ content: script });
    return await page.evaluate<Results>(`attemptAll("http://${host}:${port}", "include")`);
  }

  async function expectNothing(page: Page, host: string): Promise<void> {
    const results = await attempt(page, host);
    expect(Object.keys(results).length).toBeGreaterThan(10);
    expect(results).not.toContainValue("worked");
    expect(await streams()).toEqual(["kept", "removed"]);
  }

  test(
    "lets the server's own page do what the token may, and only while it lasts",
    async () => {
      await withContext(async (context) => {
        const page = await context.newPage();
        await page.goto(`http://localhost:${port}/`);
        expect(await attempt(page, "localhost")).toMatchObject({ list: "refused", remove: "refused" });
        expect(await streams()).toEqual(["kept", "removed"]);
        const own = await signIn(context);
        const names = ["list", "info", "audio", "metrics", "remove", "audioCache", "follow"];
        const results = await attempt(own, "localhost");
        expect(names.filter((name) => results[name] !== "worked")).toEqual([]);
        expect(await streams()).toEqual(["kept"]);
        await own.evaluate('fetch("/api/session", { method: "DELETE" })');
        expect(await attempt(own, "localhost")).toMatchObject({ list: "refused", audioCache: "refused" });
      });
    },
    limitMs,
  );

  test(
    "has a cookie that no script reads and no other site sends",
    async () => {
      await withContext(async (context) => {
        const page = await signIn(context);
        const [cookie] = await context.cookies();
        expect(cookie).toMatchObject({ httpOnly: true, sameSite: "Strict", domain: "localhost", path: "/" });
        expect(await page.evaluate<string>("document.cookie")).toBe("");
        expect(await page.evaluate<string>("JSON.stringify({ ...localStorage, ...sessionStorage })")).toBe(
          "{}",
        );
      });
    },
    limitMs,
  );

  test(
    "is of no use to another port of this machine, whose requests carry the cookie",
    async () => {
      await withContext(async (context) => {
        await signIn(context);
        const page = await context.newPage();
        await page.goto(`http://localhost:${elsewhere.port}/`);
        // A cookie is of a host, whatever the port.
        expect(cookies.at(-1)).toContain("wavecache_session=");
        await expectNothing(page, "localhost");
        // A form needs no permission of the server, and its answer replaces the page.
        const action = `http://localhost:${port}/api/devices/x/stop`;
        await page.setContent(`<form method="post" action="${action}"><button>go</button></form>`);
        const [answer] = await Promise.all([page.waitForResponse(action), page.click("button")]);
        expect([answer.status(), await answer.text()]).toEqual([
          403,
          expect.stringContaining("FOREIGN_ORIGIN"),
        ]);
      });
    },
    limitMs,
  );

  test(
    "is of no use to another site, whose requests do not carry the cookie",
    async () => {
      await withContext(async (context) => {
        await signIn(context);
        const page = await context.newPage();
        await page.goto(`http://evil.example:${elsewhere.port}/`);
        expect(cookies.at(-1)).toBe("");
        await expectNothing(page, "localhost");
      });
    },
    limitMs,
  );

  test(
    "is of no use to a page whose name DNS rebinding points here",
    async () => {
      await withContext(async (context) => {
        await signIn(context);
        const page = await context.newPage();
        // The page came from the attacker's address; now its name, and so its origin, is this server.
        const address = `http://evil.example:${port}/`;
        await page.route(address, (route) => route.fulfill({ body: html, headers }));
        await page.goto(address);
        await expectNothing(page, "evil.example");
      });
    },
    limitMs,
  );
});
