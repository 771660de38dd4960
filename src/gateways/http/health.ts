/**
 * `GET /healthz` tells whether the process lives, `GET /readyz` whether it can do its work. An orchestrator restarts a
 * server that is not healthy, and sends no new clients to one that is not ready.
 */
import type { Readiness } from "../../base/readiness.ts";
import type { HttpRoute } from "../../listen/route.ts";

const headers = { "cache-control": "no-store" };

export function healthRoute(readiness: Readiness): HttpRoute {
  return {
    servesWhileStarting: true,
    handle({ method }, { pathname }) {
      if (method !== "GET" && method !== "HEAD") return undefined;
      if (pathname === "/healthz") return new Response("ok\n", { headers });
      if (pathname === "/readyz") return answerReadiness(readiness);
      return undefined;
    },
  };
}

function answerReadiness({ isReady, reasons }: Readiness): Response {
  if (isReady) return new Response("ready\n", { headers });
  return Response.json({ ready: false, reasons }, { status: 503, headers });
}
