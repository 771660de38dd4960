/** A page at `/` for browsers. */
import type { HttpRoute } from "../../listen/route.ts";

export interface HomeSettings {
  version: string;
  /** Path of the audio cache, such as `/audio`. */
  audioPath: string;
}

export function homeRoute(settings: HomeSettings): HttpRoute {
  const page = renderPage(settings);
  return {
    handle(request, url) {
      if (request.method !== "GET" && request.method !== "HEAD") return undefined;
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
<p>Audio stream cache, version ${version}. The server is running.</p>
<dl>
  <dt>${audioPath}</dt><dd>audio cache over WebSocket: upload and download streams</dd>
  <dt>/ws</dt><dd>live ingest over WebSocket: devices send, the server records</dd>
  <dt>/live/ID.wav</dt><dd>live audio of a device as WAV, by its hardware id or stream id</dd>
  <dt><a href="/api/recordings">/api/recordings</a></dt><dd>recordings, as JSON</dd>
  <dt><a href="/api/streams">/api/streams</a></dt><dd>streams in the cache, as JSON</dd>
  <dt><a href="/api/library">/api/library</a></dt><dd>songs that clients can request by name over UDP and TLS, as JSON</dd>
  <dt><a href="/api/devices">/api/devices</a></dt><dd>devices connected over gRPC and their state, as JSON</dd>
  <dt><a href="/metrics">/metrics</a></dt><dd>metrics for Prometheus</dd>
  <dt><a href="/healthz">/healthz</a></dt><dd>health check: ok while the server runs</dd>
  <dt><a href="/readyz">/readyz</a></dt><dd>readiness: whether the server can do its work, and if not, why</dd>
</dl>
</html>
`;
}
