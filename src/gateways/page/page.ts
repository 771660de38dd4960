/** Serves the page at `/`: its HTML at the address of each view, and its scripts and styles below `/assets/`. */
import { WavecacheError } from "../../base/errors.ts";
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import { commandPrefix } from "../../base/program.ts";
import { errorResponse } from "../../listen/error-response.ts";
import { isPageAssetPath, isPagePath } from "../../listen/page-paths.ts";
import type { HttpRoute } from "../../listen/route.ts";
import { fileOf, openBundle, type PageBundle, type PageFile, type PageFolders } from "./bundle.ts";

export interface PageSettings {
  folders: PageFolders;
  /** Path of the page behind a proxy, such as `/wavecache`; empty for none. */
  basePath: string;
  /** Path of the WebSocket that the page uploads by. */
  audioPath: string;
  version: string;
  meter: GatewayMeter;
}

interface Page {
  html: PageFile;
  assets: PageBundle["assets"];
}

/** wavesurfer.js makes a style element, which it marks with this. */
const styleNonce = crypto.randomUUID();

/** Scripts and styles are files of this server alone, and nothing is loaded from elsewhere. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  `style-src 'self' 'nonce-${styleNonce}'`,
  "img-src 'self' data: blob:",
  "media-src 'self' blob:",
  "connect-src 'self'",
  "worker-src 'self'",
  "base-uri 'self'",
  "form-action 'none'",
].join("; ");

/** The bundler puts a hash of the bytes into the names of all files but worklets. */
const hashedName = /-[a-z0-9]{8}\.\w+$/;

/** The page is bundled at its first request, so a server whose page nobody opens spends nothing on it. */
export function pageRoute(settings: PageSettings): HttpRoute {
  let opened: Promise<Page> | undefined;
  const open = () =>
    (opened ??= openPage(settings).catch((error: unknown) => {
      opened = undefined;
      throw error;
    }));
  return {
    // The page needs no store, and shows that the server is starting.
    servesWhileStarting: true,
    handle(request, { pathname }) {
      if (request.method !== "GET" && request.method !== "HEAD") return undefined;
      if (isPagePath(pathname)) return serve(request, settings.meter, async () => (await open()).html);
      if (!isPageAssetPath(pathname)) return undefined;
      const name = pathname.slice(pathname.lastIndexOf("/") + 1);
      return serve(request, settings.meter, async () => (await open()).assets.get(name), name);
    },
  };
}

async function openPage({ folders, basePath, audioPath, version }: PageSettings): Promise<Page> {
  const { html, assets } = await openBundle(folders);
  const head = `<head>
    <base href="${basePath}/" />
    <meta name="wavecache-audio-path" content="${audioPath}" />
    <meta name="wavecache-version" content="${version}" />
    <meta name="wavecache-command" content="${commandPrefix}" />
    <meta name="wavecache-style-nonce" content="${styleNonce}" />`;
  const text = html.replace("<head>", head);
  return { html: fileOf("index.html", new TextEncoder().encode(text)), assets };
}

async function serve(
  request: Request,
  meter: GatewayMeter,
  find: () => Promise<PageFile | undefined>,
  name = "",
): Promise<Response> {
  const file = await find();
  if (file === undefined) return errorResponse(new WavecacheError("ROUTE_UNKNOWN"), meter);
  const headers = headersOf(file, name);
  if (request.headers.get("if-none-match") === file.etag) return new Response(null, { status: 304, headers });
  const isZipped = /\bgzip\b/.test(request.headers.get("accept-encoding") ?? "");
  if (isZipped) headers["content-encoding"] = "gzip";
  const body = isZipped ? file.gzip : file.bytes;
  meter.bytesOut += body.length;
  return new Response(body, { headers });
}

function headersOf({ type, etag }: PageFile, name: string): Record<string, string> {
  const isImmutable = hashedName.test(name);
  return {
    "content-type": type,
    etag,
    vary: "Accept-Encoding",
    "cache-control": isImmutable ? "public, max-age=31536000, immutable" : "no-cache",
    "content-security-policy": policy,
    "referrer-policy": "same-origin",
  };
}
