/** What a running server tells of itself in a diagnosis bundle: file names, and their texts. */
import type { LogOutput } from "./base/log/log-output.ts";
import type { Readiness } from "./base/readiness.ts";
import { showSettings } from "./config/print/show.ts";
import type { Reloader } from "./config/reload/reloader.ts";
import type { Metrics } from "./gateways/metrics/metrics.ts";

export interface Diagnosed {
  reloader: Reloader;
  readiness: Readiness;
  logOutput: LogOutput;
  metrics: Metrics;
}

export async function diagnose(server: Diagnosed): Promise<Record<string, string>> {
  const { reasons } = server.readiness;
  return {
    "config.toml": showSettings(server.reloader.settings),
    "readiness.json": `${JSON.stringify({ reasons }, undefined, 2)}\n`,
    "metrics.txt": await server.metrics.text(),
    "log.txt": server.logOutput.recentLines.join(""),
  };
}
