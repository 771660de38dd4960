/**
 * `GET /healthz` tells whether the process lives, `GET /readyz` whether it can do its work. An orchestrator restarts a
 * server that is not healthy, and sends no new clients to one that is not ready.
 */
import type { Readiness } from "../../base/readiness.ts";
import type { HttpRoute } from "../../listen/route.ts";

/** The check of the store, which runs in the background after a start and does not make a server unready. */
export interface StoreCheck {
  isRunning: boolean;
  figures: { settledRows: number; checkedObjects: number };
}

const headers = { "cache-control": "no-store" };

export function healthRoute(readiness: Readiness, streams: { readonly check: StoreCheck }): HttpRoute {
  return {
    servesWhileStarting: true,
    handle({ method }, { pathname }) {
      if (method !== "GET" && method !== "HEAD") return undefined;
      if (pathname === "/healthz") return new Response("ok\n", { headers });
      if (pathname === "/readyz") return answerReadiness(readiness, streams.check);
      return undefined;
    },
  };
}

function answerReadiness({ isReady, reasons, notes }: Readiness, check: StoreCheck): Response {
  const lines = notes.map(({ code, message }) => `${code}: ${message}\n`).join("");
  if (isReady) return new Response(`ready\n${lines}${describe(check)}`, { headers });
  return Response.json({ ready: false, reasons }, { status: 503, headers });
}

function describe({ isRunning, figures }: StoreCheck): string {
  if (!isRunning) return "";
  const { settledRows: uploads, checkedObjects: objects } = figures;
  return `the store is being checked: ${uploads} uploads and ${objects} objects so far\n`;
}
