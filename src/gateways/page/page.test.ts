import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nobody } from "../../access/principal.ts";
import { GatewayMeter } from "../../base/gateway-meter.ts";
import { projectFolder } from "../../base/project-folder.ts";
import type { HttpConnection } from "../../listen/route.ts";
import { buildAhead, openBundle, pageFolders } from "./bundle.ts";
import { pageRoute } from "./page.ts";

const folders = pageFolders(projectFolder);
/** Of what a browser loads until it shows the overview; the promise is 150 KiB. */
const maxFirstViewBytes = 64 * 1024;

const connection: HttpConnection = {
  principal: nobody("127.0.0.1"),
  context: { requestId: "test" },
  isSecure: false,
  keepOpen: () => undefined,
  setIdleSeconds: () => undefined,
};

function openPage(basePath = "", headers: Record<string, string> = {}) {
  const meter = new GatewayMeter("page");
  const route = pageRoute({ folders, basePath, audioPath: "/audio", version: "1.2.3", meter });
  return async (path: string, more: Record<string, string> = {}): Promise<Response | undefined> => {
    const request = new Request(`http://localhost${path}`, { headers: { ...headers, ...more } });
    return await route.handle(request, new URL(request.url), connection);
  };
}

/** Scripts that this one needs before it runs: those that it imports, and so on. */
async function withImports(
  script: string,
  load: (path: string) => Promise<string>,
  found = new Set<string>(),
): Promise<Set<string>> {
  if (found.has(script)) return found;
  found.add(script);
  const text = await load(script);
  for (const [, name] of text.matchAll(/(?:from|import)"\.\/([^"]+\.js)"/g)) {
    await withImports(`/assets/${name}`, load, found);
  }
  return found;
}

function assetsOf(html: string): string[] {
  return Array.from(html.matchAll(/(?:src|href)="\.(\/assets\/[^"]+)"/g), ([, path]) => path!);
}

describe("the page", () => {
  test.each(["/", "/streams", "/streams/a%2Fb", "/library"])("is served at %s", async (path) => {
    const answer = await openPage()(path);
    expect(answer!.headers.get("content-type")).toStartWith("text/html");
    expect(await answer!.text()).toContain('<base href="/" />');
  });

  test.each(["/api/streams", "/live/kitchen.wav", "/metrics", "/streamsX", "/assets/../main.ts"])(
    "is not served at %s",
    async (path) => {
      expect(await openPage()(path)).toBeUndefined();
    },
  );

  test("has the path of a proxy before all its addresses", async () => {
    const html = await (await openPage("/wavecache")("/streams/7"))!.text();
    expect(html).toContain('<base href="/wavecache/" />');
    expect(html).not.toMatch(/(?:src|href)="\/(?!wavecache)/);
  });

  test("permits no script, style or address of other servers, and none inline", async () => {
    const answer = (await openPage()("/"))!;
    const policy = answer.headers.get("content-security-policy")!;
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    const html = await answer.text();
    expect(html).not.toMatch(/<script(?![^>]*src=)|<style|\sstyle=|\son\w+=/);
  });

  test("stays far below 150 KiB for the first view, whose scripts are all that it loads", async () => {
    const get = openPage("", { "accept-encoding": "gzip, br" });
    const html = (await get("/"))!;
    expect(html.headers.get("content-encoding")).toBe("gzip");
    const text = new TextDecoder().decode(Bun.gunzipSync(await html.arrayBuffer()));
    const assets = assetsOf(text);
    expect(assets.length).toBeGreaterThanOrEqual(3);
    let total = 0;
    const load = async (path: string): Promise<string> => {
      const zipped = await (await get(path))!.arrayBuffer();
      total += zipped.byteLength;
      return new TextDecoder().decode(Bun.gunzipSync(zipped));
    };
    const entry = assets.find((path) => path.endsWith(".js"))!;
    const [, overview] = /import\("\.\/(overview-[^"]+)"\)/.exec(await load(entry))!;
    const scripts = await withImports(`/assets/${overview}`, load, new Set([entry]));
    for (const path of assets.filter((each) => each !== entry)) await load(path);
    expect(scripts.size).toBeGreaterThan(2);
    expect(Array.from(scripts).filter((path) => /wavesurfer|uploads/.test(path))).toEqual([]);
    expect(total).toBeGreaterThan(30_000);
    expect(total).toBeLessThan(maxFirstViewBytes);
  });

  test("is kept by browsers: forever under a hashed name, with a check otherwise", async () => {
    const get = openPage();
    const html = (await get("/"))!;
    expect(html.headers.get("cache-control")).toBe("no-cache");
    const again = await get("/", { "if-none-match": html.headers.get("etag")! });
    expect(again!.status).toBe(304);
    const [asset] = assetsOf(await html.text());
    expect((await get(asset!))!.headers.get("cache-control")).toContain("immutable");
    expect((await get("/assets/none-12345678.js"))!.status).toBe(404);
  });

  test("can be built ahead, and is the same then", async () => {
    const built = mkdtempSync(join(tmpdir(), "wavecache-page-"));
    try {
      await buildAhead({ source: folders.source, built });
      const ahead = await openBundle({ source: join(built, "none"), built });
      const now = await openBundle(folders);
      expect(ahead.html).toBe(now.html);
      expect([...ahead.assets.keys()].toSorted()).toEqual([...now.assets.keys()].toSorted());
    } finally {
      rmSync(built, { recursive: true });
    }
  });
});
