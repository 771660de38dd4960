/** `GET /healthz` for machines, and a page at `/` for whoever opens the address in a browser. */
import type { HttpRoute } from "../../listen/route.ts";

export interface HomeSettings {
  version: string;
  /** Where the audio cache is spoken, e.g. `/audio`. */
  audioPath: string;
}

export function homeRoute(settings: HomeSettings): HttpRoute {
  const page = renderPage(settings);
  return {
    handle(request, url) {
      if (request.method !== "GET" && request.method !== "HEAD") return undefined;
      if (url.pathname === "/healthz")
        return new Response("ok\n", { headers: { "cache-control": "no-store" } });
      if (url.pathname === "/") return new Response(page, { headers: pageHeaders });
      return undefined;
    },
  };
}

const pageHeaders = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
};

function renderPage({ version, audioPath }: HomeSettings): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Wavecache</title>
<style>
  :root { color-scheme: light dark; font: 1rem/1.6 system-ui, sans-serif; }
  body { max-width: 42rem; margin: 12vh auto; padding: 0 1.5rem; }
  h1 { font-size: 2.2rem; margin: 0; letter-spacing: -0.02em; }
  p { margin: 0.4rem 0 1.6rem; opacity: 0.8; }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.5rem 1.5rem; }
  dt, code { font-family: ui-monospace, monospace; font-size: 0.95rem; }
  dd { margin: 0; }
</style>
<h1>Wavecache</h1>
<p>An audio stream cache, version ${version}. It is running.</p>
<dl>
  <dt>${audioPath}</dt><dd>the audio cache, over WebSocket: upload and download in chunks</dd>
  <dt>/ws</dt><dd>live ingest, over WebSocket: devices send, the server records</dd>
  <dt>/live/ID.wav</dt><dd>what a device sends now, by its hardware id or its stream's id</dd>
  <dt><a href="/api/recordings">/api/recordings</a></dt><dd>what was recorded, as JSON</dd>
  <dt><a href="/api/streams">/api/streams</a></dt><dd>the streams it holds, as JSON</dd>
  <dt><a href="/api/library">/api/library</a></dt><dd>the songs that can be asked for by name, over UDP and TLS, as JSON</dd>
  <dt><a href="/api/devices">/api/devices</a></dt><dd>what devices are doing, over gRPC, as JSON</dd>
  <dt><a href="/metrics">/metrics</a></dt><dd>what it does now, for Prometheus</dd>
  <dt><a href="/healthz">/healthz</a></dt><dd>says ok while it runs</dd>
</dl>
</html>
`;
}
